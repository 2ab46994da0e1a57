// The steps of a scenario in the workbench: each is printed with its time and counted; after the first failure the rest are left out,
// since each stands on the one before. Not the browser (browser.mjs).
import { join } from 'node:path';

/** @param failureShot picture of the page at the failure, a file name inside `shots`. */
export const scenario = (page, shots, failureShot) => {
  const counts = { passed: 0, failed: 0 };
  const step = async (title, body) => {
    if (counts.failed > 0) return;
    const start = performance.now();
    try {
      await body();
      counts.passed++;
      console.log(`ok      ${title} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      counts.failed++;
      console.log(`FAILED  ${title}\n${error.stack}`);
      await page.screenshot({ path: join(shots, failureShot) }).catch(() => {});
    }
  };
  return { step, counts };
};
