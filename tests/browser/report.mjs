// The HTML report in a browser, from a file, as somebody opens it who got it by mail.
//
//   node report.mjs REPORT.html [FOLDER FOR SCREENSHOTS]
//
// Fails when the page complains, asks the network for anything, is wider than the window, is hard to
// read, or lacks a section.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { close, faint, fits, open } from "./browser.mjs";

const [report, folder] = process.argv.slice(2);
assert(report, "name the report");
if (folder) mkdirSync(folder, { recursive: true });
const url = pathToFileURL(resolve(report)).href;

async function look(page, seen, { width, scheme }) {
    const here = `${width} px, ${scheme}`;
    if (folder) await page.screenshot({ path: join(folder, `report-${width}-${scheme}.png`), fullPage: true });
    assert.deepEqual(seen.complaints, [], `${here}: the console`);
    assert.deepEqual(seen.requests, [url], `${here}: requests`);
    assert(await fits(page), `${here}: wider than the window`);
    assert.deepEqual(await faint(page), [], `${here}: too little contrast`);
    const headings = await page.locator("h2").allTextContents();
    for (const wanted of ["Latency", "Scenarios", "Outcomes", "The instrument", "Plan and environment"]) {
        assert(headings.includes(wanted), `${here}: no section "${wanted}" in ${headings}`);
    }
    assert.equal(await page.locator("h1").count(), 1, `${here}: one headline`);
    for (const chart of await page.locator("svg").all()) {
        assert.equal(await chart.getAttribute("role"), "img", `${here}: a chart is an image to a screen reader`);
        const named = await chart.evaluate((svg) => svg.querySelector("title")?.textContent.length > 5);
        assert(named, `${here}: a chart has a title`);
    }
    // Whatever scrolls by itself can be reached without a mouse.
    const reached = new Set();
    const scrolling = await page.locator(".scroll").count();
    for (let i = 0; i < scrolling + 5; i++) {
        await page.keyboard.press("Tab");
        reached.add(await page.evaluate(() => document.activeElement?.getAttribute("aria-label")));
    }
    reached.delete(null);
    assert(reached.size >= Math.min(scrolling, 1), `${here}: tables by keyboard: ${[...reached]}`);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual(await faint(page), [], `${here}: too little contrast on paper`);
}

try {
    await open(url, look);
} finally {
    await close();
}
console.log("report: readable at 400 and 1280 px, light, dark and on paper; quiet and alone");
