// SPDX-License-Identifier: Apache-2.0
import { start } from '../start';
import { Calculator } from '../views/calculator/Calculator';
import '../../styles/index.css';

// One script for both: what only "Compare" has comes after it.
if (document.getElementById('app')?.dataset['page'] === 'compare') void import('../compare/compare-page');
else void start(Calculator);
