// The dashboard in a browser, from the first request of a run to the download of its report.
//
//   node dashboard.mjs PROGRAM [FOLDER FOR SCREENSHOTS]
//
// PROGRAM is loadtester, built with the dashboard's scripts (npm ci --ignore-scripts --prefix src/web/scripts) or
// without: the page is also tried with our script alone.
// Fails when figures stand still, thresholds do not change, the page jumps, forgets where its reader was, complains,
// asks another host for anything, does not outlive its run, does not tell that the run is over or gone, or a report does
// not parse.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { faint, fits, open, quiet } from "./browser.mjs";
import { eventually, play, TOKEN } from "./program.mjs";

const [program, folder] = process.argv.slice(2);
assert(program, "name the program");
if (folder) mkdirSync(folder, { recursive: true });
const ONE = { widths: [1280], schemes: ["light"] };

const figures = (page) => page.locator(".figures strong").allTextContents();
const result = (page, expression) =>
    page.locator("tr", { has: page.locator(`th:has-text("${expression}")`) }).locator(".result").textContent();
/** Where everything stands, down to the instrument: below it each new reason for doubt adds a line. */
const places = (page) =>
    page.evaluate(() =>
        [...document.querySelectorAll("header, .figures > div, figure, h2:not(.spoken, #environment)")].map((element) => {
            const { x, y, width, height } = element.getBoundingClientRect();
            return [element.textContent.slice(0, 12).replace(/[0-9–].*/, ""), x, y + scrollY, width, height].join(" ");
        }),
    );

async function picture(page, name) {
    if (folder) await page.screenshot({ path: join(folder, `dashboard-${name}.png`), fullPage: true });
}

/** What the top of the page consists of keeps its place from before the first figure on. */
async function keepsItsRoom(page, isOpen) {
    const top = async () => {
        const all = await places(page);
        return all.slice(0, all.findIndex((place) => place.startsWith("Outcomes")) + 1);
    };
    const empty = await top();
    assert(empty.length > 14, `${empty}`);
    assert.equal(await page.locator("polyline").count(), 0, "it was early enough");
    isOpen();
    await eventually("charts", async () => (await page.locator("figure.waiting").count()) === 0);
    assert.deepEqual(await top(), empty, "the first figures pushed something away");
}

/** How many answers to requests for this part have come. */
const answers = (seen, part) => seen.answers.filter(([, url]) => url.includes(`/live/${part}`)).length;

/** Figures move, thresholds change, nothing jumps, the reader's place is kept. */
async function lives(page, seen, url) {
    await eventually("charts", () => page.locator("polyline").count());
    const place = page.locator(".scroll").first();
    await place.focus();
    await place.evaluate((element) => (element.mark = "the same element"));
    const nodes = () => page.evaluate(() => document.querySelectorAll("*").length);
    const [shown, stood, many] = [new Set(), await places(page), await nodes()];
    const until = answers(seen, "details") + 2;
    await eventually("other figures", async () => {
        shown.add((await figures(page)).join(" "));
        assert.deepEqual(await places(page), stood, "something jumped");
        return shown.size >= 3 && answers(seen, "details") >= until;
    });
    assert((await nodes()) < many + 30, "the page grows with each picture");
    assert.equal(await page.evaluate(() => document.activeElement.mark), "the same element", "the focus");
    assert.match(await page.title(), /^\d+ % – Running/);
    quiet(seen, url);
}

/** On a phone, what is wider than the page scrolls by itself, and stays where it was scrolled to. */
async function keepsItsPlace(page, seen) {
    const table = page.locator('[aria-label="Scenarios"]');
    await table.evaluate((element) => (element.scrollLeft = 60));
    // A line that comes or goes above changes `scrollY`, but not what is in view.
    const inView = () => page.evaluate(() => window.heading.getBoundingClientRect().top);
    await page.evaluate(() => {
        window.scrollTo(0, 500);
        window.heading = [...document.querySelectorAll("h2")].find((h2) => h2.getBoundingClientRect().top > 0);
    });
    const stood = await inView();
    const until = answers(seen, "details") + 2;
    await eventually("other tables", () => answers(seen, "details") >= until);
    assert.equal(await table.evaluate((element) => element.scrollLeft), 60, "a table's place");
    const moved = Math.abs((await inView()) - stood);
    assert(moved < 2, `what is in view moved by ${moved} pixels`);
}

/** The page has the whole last picture, and asks for no more. */
async function isOver(page, seen) {
    await eventually("the end", () => page.locator('header[data-state="finished"]').count());
    const last = () => new Set(seen.answers.filter(([status]) => status === 286).map(([, url]) => url.split("?")[0])).size;
    await eventually("every part of the last picture", () => last() === 3);
    const asked = seen.requests.filter((asked) => asked.includes("/live/")).length;
    // Longer than parts wait before they are asked for again.
    await pause(2200);
    assert.equal(
        seen.requests.filter((asked) => asked.includes("/live/")).length,
        asked,
        "a finished run is asked for no more",
    );
}

async function ends(page, seen, url) {
    await isOver(page, seen);
    assert.match(await page.locator("h1").textContent(), /Interrupted/);
    for (const heading of ["Scenarios", "Latency", "Outcomes", "The instrument", "Plan and environment"]) {
        assert((await page.locator("h2").allTextContents()).includes(heading), `the report has "${heading}"`);
    }
    const parses = {
        "report.html": (text) => assert(text.startsWith("<!DOCTYPE html>") && text.includes("</html>")),
        "report.json": (text) => assert(JSON.parse(text).totals.ok >= 3500),
        "report.xml": async (text) =>
            assert.equal(
                await page.evaluate(
                    (xml) => new DOMParser().parseFromString(xml, "application/xml").documentElement.tagName,
                    text,
                ),
                "testsuites",
            ),
        "report.csv": (text) => assert(text.trim().split("\r\n").length >= 7, "a row for each second"),
        "report.scenarios.csv": (text) => assert(text.trim().split("\r\n").length >= 2, "a row for each scenario"),
        "report.hlog": (text) => assert(text.split("\n").filter((line) => /^\d/.test(line)).length >= 7),
    };
    const names = [];
    for (const link of await page.locator(".downloads a").all()) {
        const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
        const name = download.suggestedFilename();
        await parses[name](readFileSync(await download.path(), "utf8"));
        names.push(name);
    }
    assert.deepEqual(names.sort(), Object.keys(parses).sort(), "each form can be downloaded");
    quiet(seen, url);
}

/** Whether a failure to reach a program that has ended is all that was complained of. */
const atPeaceWithTheEnd = (seen) =>
    assert.deepEqual(
        seen.complaints.filter((words) => !/^htmx:|ERR_(CONNECTION_(REFUSED|RESET|CLOSED|ABORTED)|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE)/.test(words)),
        [],
        "the console",
    );

async function readable(page, seen, { width, scheme }, name, url) {
    const here = `${name}, ${width} px, ${scheme}`;
    await eventually("charts", () => page.locator("polyline").count());
    await picture(page, `${name}-${width}-${scheme}`);
    assert(await fits(page), `${here}: wider than the window`);
    assert.deepEqual(await faint(page), [], `${here}: too little contrast`);
    assert.equal(await page.locator("h1").count(), 1, `${here}: one headline`);
    assert.deepEqual(seen.complaints, [], `${here}: the console`);
}

/** Resolves when so many called it. */
function gathering(many) {
    let resolve;
    const all = new Promise((done) => (resolve = done));
    return { all, arrived: () => (many -= 1) === 0 && resolve() };
}

/** The pages of the whole run are open: other parts that run at the same time hold them up no more. */
const wholeRunIsOpen = gathering(2);

/** Have the run at `url` stopped by its operator. */
const stop = async (url) => {
    const bearer = { Authorization: `Bearer ${TOKEN}` };
    assert.equal((await fetch(`${url}api/v1/run/stop`, { method: "POST", headers: bearer })).status, 202);
};

/** A run from its beginning to its report, looked at by a reader with the fetched scripts and by one without. */
async function wholeRun(runs, target) {
    const { child, url } = await runs.run(
        `base_url: ${target}
load: { rate: 500/s, warmup: 8s, duration: 5m, concurrency: 20 }
scenarios:
  - { name: Get users, path: /v1/users, weight: 2 }
  - { name: Create user, path: /v1/users, method: POST, body: "{}" }
  - { name: A page that is not there, path: /nowhere, expect: { status: 404 } }
thresholds: [p50 < 10s, error_rate < 1%, count >= 3500]
`,
        "--report",
        join(runs.room, "kept.hlog"),
    );
    const seenEnough = gathering(3);
    const watch = async (page, seen) => {
        assert.equal(await result(page, "count >= 3500"), "not known yet");
        await keepsItsRoom(page, wholeRunIsOpen.arrived);
        await lives(page, seen, url);
        await eventually("a threshold that holds", async () => (await result(page, "count >= 3500")) === "holds");
        seenEnough.arrived();
        await ends(page, seen, url);
    };
    const others = async () => {
        await eventually("a running page", async () => (await (await fetch(`${url}status`)).json()).elapsed > 10.5);
        const place = { widths: [400], schemes: ["light"] };
        await Promise.all([
            open(url, (page, seen, view) => readable(page, seen, view, "running", url)),
            open(url, keepsItsPlace, place),
            open(url, keepsItsPlace, { ...place, alone: true }),
        ]);
        seenEnough.arrived();
        await seenEnough.all;
        await stop(url);
    };
    await Promise.all([open(url, watch, ONE), open(url, watch, { ...ONE, alone: true }), others()]);
    await open(url, (page, seen, view) => readable(page, seen, view, "finished", url));
    child.kill("SIGKILL");
}

/** The program ends with its run: each page keeps the last picture, which is that of the report, and says so. */
async function outlivesItsRun(runs, target) {
    await wholeRunIsOpen.all;
    const file = join(runs.room, "outlived.json");
    const { ended, url } = await runs.run(
        `base_url: ${target}
load: { rate: 1200/s, duration: 5m }
scenarios: [{ path: /v1/users }]
`,
        ...["--linger", "0s", "--report", file],
    );
    const ready = gathering(2);
    const look = async (page, seen, alone) => {
        await eventually("charts", async () => (await page.locator("figure.waiting").count()) === 0);
        ready.arrived();
        await ready.all;
        if (alone) await stop(url);
        assert.equal(await ended, 130);
        const { totals } = JSON.parse(readFileSync(file, "utf8"));
        await isOver(page, seen);
        const [header, outcomes] = [page.locator("header"), page.locator('[aria-label="Outcomes"]')];
        assert.match(await header.locator("h1").textContent(), /Interrupted/);
        assert.match(await header.textContent(), /The run is over, and the program has ended/);
        assert((await outcomes.textContent()).includes(totals.ok.toLocaleString("en-US")), "the last tables");
        assert.equal(await page.locator("figure:not(.waiting)").count(), 4, "the last charts");
        assert.equal(await page.locator(".lost:visible").count(), 0, "nothing is amiss");
        assert.equal(await page.locator(".downloads").count(), 0, "nothing is offered that is gone");
        await picture(page, alone ? "outlived-alone" : "outlived");
        quiet(seen, url);
    };
    await Promise.all([
        open(url, (page, seen) => look(page, seen, false), ONE),
        open(url, (page, seen) => look(page, seen, true), { ...ONE, alone: true }),
    ]);
}

/** A run ends by itself; its reports are offered for as long as the program lives. */
async function offersItsReports(runs, target) {
    await wholeRunIsOpen.all;
    const { ended, url } = await runs.run(
        `base_url: ${target}
load: { rate: 100/s, duration: 3s }
scenarios: [{ path: /v1/users }]
thresholds: [error_rate < 1%]
`,
        ...["--linger", "10s"],
    );
    await open(
        url,
        async (page, seen) => {
            await eventually("downloads", () => page.locator(".downloads:visible").count());
            assert.match(await page.locator("h1").textContent(), /Passed/);
            assert.equal(await page.locator(".ended:visible").count(), 0);
            assert.equal(await ended, 0);
            await eventually("a word", () => page.locator(".ended:visible").count());
            assert.equal(await page.locator(".downloads:visible").count(), 0);
            atPeaceWithTheEnd(seen);
        },
        ONE,
    );
}

/** Without script the page is as good, only coarser. */
async function withoutScript(url) {
    await open(
        url,
        async (page, seen) => {
            // While the page loads itself anew there is nothing to read.
            const now = () => figures(page).then((texts) => texts.join(" "), () => "");
            const first = await eventually("figures", now);
            await eventually("other figures", async () => ![first, ""].includes(await now()));
            await page.waitForLoadState();
            assert(await page.locator("header").textContent(), "a verdict");
            assert.equal(await page.locator("form:visible").count(), 0, "no form that would not work");
            assert.deepEqual(seen.complaints, []);
        },
        { ...ONE, javaScriptEnabled: false },
    );
}

/** The load threads have all the work they can get; the page is answered all the same, and stops them. */
async function saturated(runs, target) {
    const { child, url } = await runs.run(
        `base_url: ${target}
load: { duration: 5m, concurrency: 64 }
scenarios: [{ path: /v1/users }]
`,
    );
    const took = [];
    for (let i = 0; i < 20; i++) {
        const asked = performance.now();
        assert.equal((await fetch(`${url}live/now`)).status, 200);
        took.push(performance.now() - asked);
        await pause(100);
    }
    took.sort((a, b) => a - b);
    console.log(`saturated: a part in ${took[10].toFixed(1)} ms at the median, ${took[19].toFixed(1)} ms at most`);
    assert(took[19] < 2000, `the slowest answer took ${took[19]} ms`);
    await withoutScript(url);
    const guess = async (page, seen) => {
        const [token, said] = [page.locator("#token"), page.locator("#operator-said")];
        await token.fill("guessed");
        await page.getByRole("button", { name: "Stop the run" }).click();
        await eventually("a refusal", async () => (await said.textContent()).includes("operator's token"));
        seen.complaints = seen.complaints.filter((words) => !words.includes("401"));
        const until = answers(seen, "details") + 1;
        await eventually("the next picture", () => answers(seen, "details") >= until);
        assert.equal(await token.inputValue(), "guessed", "what was typed stays");
    };
    const stopped = async (page, seen) => {
        await eventually("the end", () => page.locator('header[data-state="finished"]').count());
        assert.match(await page.locator("h1").textContent(), /Interrupted/);
        await eventually("the form to go", async () => (await page.locator("form:visible").count()) === 0);
        quiet(seen, url);
    };
    const guessed = gathering(2);
    const watch = async (page, seen) => {
        await guess(page, seen);
        guessed.arrived();
        await stopped(page, seen);
    };
    const operate = async (page, seen) => {
        await guess(page, seen);
        guessed.arrived();
        await guessed.all;
        await picture(page, "operator");
        await page.locator("#token").fill(TOKEN);
        await page.locator("#token").press("Enter");
        await stopped(page, seen);
    };
    await Promise.all([open(url, watch, ONE), open(url, operate, { ...ONE, alone: true })]);
    child.kill("SIGKILL");
}

/** When the process is gone in the middle of a run the page says so, and keeps its last picture. */
async function gone(runs, target) {
    await wholeRunIsOpen.all;
    const { child, url } = await runs.run(
        `base_url: ${target}
load: { rate: 100/s, duration: 5m }
scenarios: [{ path: /v1/users }]
`,
    );
    const ready = gathering(2);
    const look = async (page, seen) => {
        await eventually("charts", () => page.locator("polyline").count());
        await eventually("answers", async () => !(await page.locator("#lost").isVisible()));
        ready.arrived();
        await ready.all;
        child.kill("SIGKILL");
        await eventually("a word", () => page.locator("#lost").isVisible());
        assert.match(await page.locator("#lost").textContent(), /No connection since .*\d/);
        assert.equal(await page.locator("figure").count(), 4, "the last picture");
        await picture(page, "gone");
        atPeaceWithTheEnd(seen);
    };
    await Promise.all([open(url, look, ONE), open(url, look, { ...ONE, alone: true })]);
}

/** A coordinator's page: a worker that is killed turns red, and the run fails by it. */
async function fleet(runs, target) {
    await wholeRunIsOpen.all;
    const { url } = await runs.coordinator(
        `base_url: ${target}
load: { rate: 200/s, duration: 60s }
scenarios: [{ path: /v1/users }]
`,
        {},
        ...["--workers", "2", "--listen", "127.0.0.1:0"],
    );
    const [, killed] = [runs.worker(url), runs.worker(url)];
    await open(
        url,
        async (page, seen) => {
            const states = () => page.locator(".state").allTextContents();
            await eventually("two workers that run", async () => {
                const all = await states();
                return all.length === 2 && all.every((state) => state === "running");
            });
            await eventually("charts", () => page.locator("polyline").count());
            await picture(page, "fleet");
            killed.kill("SIGKILL");
            await eventually("a worker that is lost", async () => (await states()).includes("lost"));
            const colours = await page.locator(".state").evaluateAll((all) =>
                Object.fromEntries(all.map((state) => [state.textContent, getComputedStyle(state).color])),
            );
            assert.match(colours.lost, /^rgb\(179, 38, 30\)$/, "red");
            await eventually("the end", () => page.locator('header[data-state="finished"]').count());
            await picture(page, "fleet-lost");
            assert.match(await page.locator("h1").textContent(), /Failed: a worker was lost/);
            quiet(seen, url);
        },
        ONE,
    );
}

await play(program, [[wholeRun, outlivesItsRun, offersItsReports, gone, fleet], saturated]);
