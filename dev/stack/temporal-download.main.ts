import process from 'node:process';
import { TestWorkflowEnvironment } from '@temporalio/testing';

// Downloads a version of the Temporal CLI into a folder, by way of the SDK, which starts it once.
const [version, downloadDir] = process.argv.slice(2);
if (version === undefined || downloadDir === undefined)
  throw new Error('usage: temporal-download.main.ts VERSION FOLDER');
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', version: `v${version}`, downloadDir } },
});
await environment.teardown();
