// SPDX-License-Identifier: Apache-2.0
// Comes once the page knows the machine.
export { MySetup } from './MySetup';
export { Rows } from './Rows';
