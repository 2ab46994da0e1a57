// Entry of the suite inside VS Code (extensionTestsPath): runs every *.test of this folder with mocha and writes what came of each
// to KANSOKU_RESULT_FILE, because the workbench's own exit code hides an extension host that was killed.

import * as fs from 'node:fs';
import * as path from 'node:path';
import Mocha from 'mocha';

export const run = async (): Promise<void> => {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, color: false });
  for (const file of fs.readdirSync(__dirname)) {
    if (file.endsWith('.test.js')) mocha.addFile(path.join(__dirname, file));
  }
  const record: { passed: string[]; failed: { title: string; error: string }[]; done: boolean } = {
    passed: [],
    failed: [],
    done: false,
  };
  const save = (): void => {
    const file = process.env['KANSOKU_RESULT_FILE'];
    if (file !== undefined) fs.writeFileSync(file, JSON.stringify(record, null, 1));
  };
  await new Promise<void>((ok, fail) => {
    const runner = mocha.run((failures) => {
      record.done = true;
      save();
      if (failures > 0) fail(new Error(`${failures} failed`));
      else ok();
    });
    runner.on('pass', (test) => {
      record.passed.push(test.fullTitle());
      save();
    });
    runner.on('fail', (test, error: Error) => {
      record.failed.push({ title: test.fullTitle(), error: error.stack ?? String(error) });
      save();
    });
  });
};
