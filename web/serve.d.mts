// SPDX-License-Identifier: Apache-2.0
export function startServer(options: {
  folder: string;
  port?: number;
  host?: string;
  cors?: boolean;
}): Promise<{ url: string; port: number; close(): Promise<void> }>;
