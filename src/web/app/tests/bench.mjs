// What the tests of the bench have in common: somebody sits at it.
import { join } from 'node:path';
import { Lab, ownFiles } from './lab.mjs';

export const button = (page, name) => page.getByRole('button', { name });
export const tab = (page, name) => page.getByRole('tab', { name }).click();
export const editor = (page, name) => page.getByRole('textbox', { name: `Text of plans/${name}` });
export const settled = (page) => page.getByText('✓ Nothing is found wrong.').waitFor();

/** Puts the cursor behind the end of a line of the editor. */
export async function endOf(page, name, line) {
  await editor(page, name).locator('.cm-line').filter({ hasText: line }).first().click();
  await page.keyboard.press('End');
}

/** A second trunk, which offers one of the plans. */
const BRANCH = '[[trunk]]\nid = "branch"\naddresses = ["192.0.2.0/24"]\ncodecs = ["pcmu"]\nplans = ["direct-sales"]\n';

export class BenchLab {
  static async start() {
    const bench = new BenchLab();
    bench.lab = await Lab.start((config, folder) => `${ownFiles(config, folder)}\n${BRANCH}`);
    await bench.lab.learnt();
    return bench;
  }

  onDisk(name) {
    return join(this.lab.folder, 'plans', name);
  }

  /** The operator with a file open. */
  async at(name) {
    const page = await this.lab.page({ width: 1600, height: 1000 });
    await this.lab.logIn(page, 'operator', `http://${this.lab.web}/bench`);
    await page.locator('.file-row', { hasText: name }).click();
    await editor(page, name).waitFor();
    return page;
  }
}
