// An operator at the dashboard: starts a fleet that waits for the word, and stops a run.
//
//   node operator.mjs PROGRAM [FOLDER FOR SCREENSHOTS]
//
// Fails when a start that is not possible yet, a wrong token or what was done is not told on the page, when the page
// offers what cannot be done, or when it complains.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { faint, open, quiet } from "./browser.mjs";
import { eventually, play, TOKEN } from "./program.mjs";

const [program, folder] = process.argv.slice(2);
assert(program, "name the program");
if (folder) mkdirSync(folder, { recursive: true });
const ONE = { widths: [1280], schemes: ["light"] };
const TOKENS = { LOADTESTER_TOKEN: "for-workers-of-this-test", LOADTESTER_OPERATOR_TOKEN: TOKEN };

const state = (page) => page.locator("header").getAttribute("data-state");
const headline = (page) => page.locator("h1").textContent();
const button = (page, name) => page.getByRole("button", { name });
const told = (page, words) =>
    eventually(`"${words}"`, async () => (await page.locator("#operator-said").textContent()).includes(words));
/** A browser tells its console of every answer that is a refusal. */
const refused = (seen, status) => {
    const [of, other] = [[], []];
    for (const words of seen.complaints) (words.includes(`${status}`) ? of : other).push(words);
    assert(of.length > 0, `no ${status}`);
    seen.complaints = other;
};

const plan = (target, seconds) => `base_url: ${target}
load: { rate: 100/s, duration: ${seconds}s }
scenarios: [{ path: /v1/users }]
`;

/** A coordinator of three workers, started with the one that is there. */
async function startsAFleet(runs, target) {
    const args = ["--workers", "3", "--listen", "127.0.0.1:0"];
    const { child, url } = await runs.coordinator(plan(target, 300), TOKENS, ...args);
    await open(
        url,
        async (page, seen) => {
            assert.equal(await state(page), "starting");
            assert.match(await headline(page), /Waiting for workers: 0 of 3/);
            const token = page.locator("#token");
            await button(page, "Start the run").click();
            await token.fill(TOKEN);
            await button(page, "Start the run").click();
            await told(page, "no worker has joined: start some first");
            refused(seen, 409);
            const posted = seen.requests.filter((asked) => asked.includes("/api/v1/run/"));
            assert.equal(posted.length, 1, "nothing was sent without a token");

            runs.worker(url, TOKENS);
            await eventually("a worker", async () => (await headline(page)).includes("1 of 3"));
            for (const wrong of ["guessed", TOKENS.LOADTESTER_TOKEN]) {
                await token.fill(wrong);
                await button(page, "Start the run").click();
                await told(page, "this needs the operator's token");
                refused(seen, 401);
                await page.locator("#operator-said").evaluate((said) => (said.textContent = ""));
            }
            if (folder) await page.screenshot({ path: join(folder, "operator-waiting.png"), fullPage: true });
            assert.deepEqual(await faint(page), [], "too little contrast");
            assert.equal(await state(page), "starting", "a wrong token starts nothing");

            await token.fill(TOKEN);
            await button(page, "Start the run").click();
            await told(page, "started");
            await eventually("load", async () => (await state(page)) === "running");
            await eventually("what runs not to be started", async () => (await button(page, "Start the run").count()) === 0);
            await eventually("answers", async () =>
                Number((await page.locator('[aria-label="Workers"] td:nth-child(4)').textContent()).replace(",", "")) > 0,
            );
            // By keyboard: there is nothing left to do but to stop.
            await token.press("Enter");
            await told(page, "stopping");
            await eventually("the end", async () => (await state(page)) === "finished");
            assert.match(await headline(page), /Interrupted/);
            quiet(seen, url);
        },
        ONE,
    );
    child.kill("SIGKILL");
}

/** A run of one process, which begins by itself: it can be stopped, and its figures until then are reported. */
async function stopsARun(runs, target) {
    const { child, url } = await runs.run(plan(target, 300));
    await open(
        url,
        async (page, seen) => {
            await eventually("load", async () => (await state(page)) === "running");
            assert.equal(await button(page, "Start the run").count(), 0, "it begins by itself");
            await page.locator("#token").fill("guessed");
            await button(page, "Stop the run").click();
            await told(page, "this needs the operator's token");
            refused(seen, 401);
            assert.equal(await state(page), "running", "a wrong token stops nothing");
            await page.locator("#token").fill(TOKEN);
            await button(page, "Stop the run").click();
            await eventually("the end", async () => (await state(page)) === "finished");
            await eventually("the form to go", async () => (await page.locator("form:visible").count()) === 0);
            quiet(seen, url);
        },
        ONE,
    );
    const report = await (await fetch(`${url}report.json`)).json();
    assert.equal(report.verdict, "interrupted");
    assert(report.totals.ok > 0, "what was measured until then");
    child.kill("SIGKILL");
}

/** Without script there is no form, but a word on how to do it; and that way works. */
async function withoutScript(runs, target) {
    const args = ["--workers", "2", "--listen", "127.0.0.1:0"];
    const { child, url } = await runs.coordinator(plan(target, 300), TOKENS, ...args);
    runs.worker(url, TOKENS);
    const look = async (page, words) => {
        assert.equal(await page.locator("form:visible").count(), 0, "no form that would not work");
        assert((await page.locator(".operator-by-hand").textContent()).includes(words), `no "${words}"`);
    };
    const order = (what, token = TOKEN) =>
        fetch(`${url}api/v1/run/${what}`, { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    await open(
        url,
        async (page) => {
            await eventually("a worker", async () => (await headline(page).catch(() => "")).includes("1 of 2"));
            await page.waitForLoadState();
            await look(page, "/api/v1/run/start");
            assert.equal((await order("start", "guessed")).status, 401);
            assert.equal((await order("start")).status, 202);
            await eventually("load", async () => (await state(page).catch(() => "")) === "running");
            await page.waitForLoadState();
            await look(page, "/api/v1/run/stop");
            assert.equal((await order("stop")).status, 202);
            await eventually("the end", async () => (await state(page).catch(() => "")) === "finished");
            await page.waitForLoadState();
            assert.equal(await page.locator(".operator-by-hand").count(), 0, "there is nothing left to do");
        },
        { ...ONE, javaScriptEnabled: false },
    );
    child.kill("SIGKILL");
}

await play(program, [[startsAFleet, stopsARun, withoutScript]]);
