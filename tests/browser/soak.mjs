// A dashboard that stays open: does it, or what serves it, need more memory the longer it is looked at?
//
//   node soak.mjs PROGRAM [MINUTES]
//
// Without MINUTES: exchanges the page's parts as fast as they come, as often as ten minutes of looking would. With them:
// leaves the page alone for so long and prints each minute what is in use after a garbage collection. In use are the
// page's JavaScript heap, its nodes and listeners, and the program's resident memory. Fails when one of them grows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { open } from "./browser.mjs";
import { eventually, play } from "./program.mjs";

const [program, minutes] = [process.argv[2], Number(process.argv[3] ?? 0)];
assert(program && (minutes === 0 || minutes >= 8), "name the program, and for how many minutes: 8 or more, or none");
const ONE = { widths: [1280], schemes: ["light"] };
/** Exchanges of every part in a hurry: those of ten minutes, after the first ones, in which code is compiled. */
const [WARM_UP, HURRIED] = [40, 300];

const plan = (target, minutes) => `base_url: ${target}
load: { rate: 100/s, duration: ${minutes}m, concurrency: 20 }
scenarios:
  - { name: Get users, path: /v1/users, weight: 2 }
  - { name: A page that is not there, path: /nowhere }
thresholds: [p99 < 10s, error_rate < 1%]
`;

/** Readings of which the least counts: what an answer on its way is made of is freed by the next one. */
const READINGS = 5;

/** What is in use, by name: megabytes and counts. */
async function meter(page, child) {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    const reading = async () => {
        // The second round frees what the first one made free.
        for (let round = 0; round < 2; round++) await session.send("HeapProfiler.collectGarbage");
        const { metrics } = await session.send("Performance.getMetrics");
        const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
        const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]);
        return { heap: of.JSHeapUsedSize / 1e6, nodes: of.Nodes, listeners: of.JSEventListeners, resident: resident / 1024 };
    };
    return async () => {
        const least = await reading();
        for (let i = 1; i < READINGS; i++) {
            await pause(150);
            for (const [name, value] of Object.entries(await reading())) least[name] = Math.min(least[name], value);
        }
        return least;
    };
}

const words = (used) =>
    `heap ${used.heap.toFixed(2)} MB, ${used.nodes} nodes, ${used.listeners} listeners, program ${used.resident.toFixed(1)} MiB`;

async function hurried(runs, target) {
    const { child, url } = await runs.run(plan(target, 10));
    const look = async (page, seen) => {
        await eventually("charts", () => page.locator("polyline").count());
        const inUse = await meter(page, child);
        const exchange = (times) =>
            page.evaluate(async (times) => {
                let answered = 0;
                const count = () => (answered += 1);
                document.addEventListener("htmx:afterRequest", count);
                while (answered < 3 * times) {
                    for (const part of ["now", "charts", "details"]) {
                        const place = `#live-${part}`;
                        await htmx.ajax("GET", `/live/${part}`, { source: place, target: place, swap: "morph:innerHTML" });
                    }
                    // Behind a request of the page's own, htmx queues this one and does not wait for it.
                    await new Promise((resolve) => setTimeout(resolve));
                }
                document.removeEventListener("htmx:afterRequest", count);
            }, times);
        await exchange(WARM_UP);
        const before = await inUse();
        await exchange(HURRIED);
        const after = await inUse();
        console.log(`before ${words(before)}\nafter  ${words(after)}`);
        // The browser tells of its answers a little later.
        await eventually("so many answers", () => seen.answers.length > 3 * HURRIED);
        // What each round keeps would show: a kilobyte, a node, a listener of each part. A note or a tick that appears
        // meanwhile does not.
        assert(after.heap - before.heap < 0.5, "the heap grows");
        assert(after.nodes - before.nodes < HURRIED, "nodes are kept");
        assert(after.listeners - before.listeners < HURRIED / 5, "listeners are kept");
        assert(after.resident - before.resident < 5, "the program grows");
        assert.deepEqual(seen.complaints, [], "the console");
    };
    await open(url, look, ONE);
}

async function soaked(runs, target) {
    const { child, url } = await runs.run(plan(target, minutes + 2));
    const look = async (page, seen) => {
        const inUse = await meter(page, child);
        const samples = [];
        for (let minute = 1; minute <= minutes; minute++) {
            await pause(60_000);
            samples.push(await inUse());
            console.log(`minute ${minute}: ${words(samples.at(-1))}, ${seen.answers.length} answers`);
        }
        assert.deepEqual(seen.complaints, [], "the console");
        // In the first quarter charts still gain points.
        const settled = samples[Math.floor(samples.length / 4)];
        for (const [name, last] of Object.entries(samples.at(-1))) {
            assert(last <= settled[name] * 1.1, `${name} grew from ${settled[name]} to ${last}`);
        }
    };
    await open(url, look, ONE);
}

await play(program, [minutes > 0 ? soaked : hurried]);
