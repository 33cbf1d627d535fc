// SPDX-License-Identifier: Apache-2.0
import { start } from '../start';
import { Calculator } from '../views/Calculator';
import '../../styles/index.css';

void start(Calculator);
