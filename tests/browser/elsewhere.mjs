// The dashboard from another machine: on an address that is not loopback a token is needed, and a browser asks for it.
//
//   node elsewhere.mjs PROGRAM
//
// Runs itself again in a network namespace of its own, where it can have such an address (as root, with iproute2).
// Fails when something can be read without a token that should not, when the page does not work with one, when what a
// browser sends along by itself is enough to stop a run, or when another site's page can.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { open, quiet } from "./browser.mjs";
import { eventually, play, TOKEN } from "./program.mjs";

const program = process.argv[2];
assert(program, "name the program");
/** An address for documentation (RFC 5737): nobody has it. */
const ADDRESS = "192.0.2.1";
if (process.env.IN_A_NAMESPACE !== ADDRESS) {
    const inside = `ip link set lo up && ip address add ${ADDRESS}/32 dev lo && exec "$@"`;
    const again = ["--net", "sh", "-c", inside, "sh", process.execPath, ...process.argv.slice(1)];
    const granted = spawnSync("unshare", ["--net", "true"]);
    if (granted.status !== 0) {
        const why = granted.error?.message ?? granted.stderr.toString().trim();
        console.log(`skipped because this machine grants no network namespaces: ${why}`);
        process.exit(0);
    }
    const { status } = spawnSync("unshare", again, { stdio: "inherit", env: { ...process.env, IN_A_NAMESPACE: ADDRESS } });
    process.exit(status ?? 1);
}

const ONE = { widths: [1280], schemes: ["light"] };
const WORKERS_TOKEN = "for-workers-of-this-test";
const TOKENS = { LOADTESTER_TOKEN: WORKERS_TOKEN, LOADTESTER_OPERATOR_TOKEN: TOKEN };
const PATHS = ["", "status", "metrics", "live/now", "live/charts", "live/details", "report.json", "style.css", "scripts.js"];
const plan = (target) => `base_url: ${target}
load: { rate: 100/s, duration: 5m }
scenarios: [{ path: /v1/users }]
`;
const asked = (password) => ({ ...ONE, httpCredentials: { username: "anyone", password } });
const state = (page) => page.locator("header").getAttribute("data-state");
const figures = async (page) => (await page.locator(".figures strong").allTextContents()).join(" ");
/** Said of every answer that is a refusal, by the browser itself. */
const without = (seen, status) => seen.complaints.filter((words) => !words.includes(`status of ${status}`));

async function moves(page, seen, url) {
    const [first] = [await figures(page)];
    await eventually("other figures", async () => (await figures(page)) !== first);
    assert.deepEqual(without(seen, 401), [], "the console");
    // The first answer asks for the token; the browser then shows it with everything.
    const refused = seen.answers.filter(([status]) => status >= 400).map(([, where]) => where);
    assert(refused.every((where) => where === url), `refused: ${refused}`);
}

/** Nobody reads a coordinator's pages without a token; with either of both a browser does. */
async function asksForAToken(runs, target) {
    const { child, url } = await runs.coordinator(plan(target), TOKENS, "--listen", `${ADDRESS}:0`);
    runs.worker(url, TOKENS);
    for (const path of PATHS) {
        const answer = await fetch(url + path);
        assert.equal(answer.status, 401, `/${path}`);
        assert.match(answer.headers.get("www-authenticate"), /^Basic/, "so that a browser asks");
        assert(!(await answer.text()).includes(target), "what is loaded is not told");
    }
    assert.equal((await fetch(`${url}healthz`)).status, 200, "probes have no token");
    for (const credentials of [ONE, asked("guessed")]) {
        const refused = async (page, seen) => {
            assert.equal(seen.answers.at(-1)[0], 401);
            assert.equal(await page.locator("header").count(), 0, "no page");
        };
        await open(url, refused, credentials).catch((error) => {
            // Chromium gives up on a password that was wrong.
            if (!String(error).includes("ERR_INVALID_AUTH_CREDENTIALS")) throw error;
        });
    }
    await open(url, async (page, seen) => moves(page, seen, url), asked(WORKERS_TOKEN));
    await open(
        url,
        async (page, seen) => {
            await moves(page, seen, url);
            const unasked = await page.evaluate(async () => (await fetch("/api/v1/run/stop", { method: "POST" })).status);
            assert.equal(unasked, 401, "the password that a browser sends along stops nothing");
            const shown = await figures(page);
            await eventually("the next figures", async () => (await figures(page)) !== shown);
            assert.equal(await state(page), "running");
            await page.locator("#token").fill(TOKEN);
            await page.getByRole("button", { name: "Stop the run" }).click();
            await eventually("the end", async () => (await state(page)) === "finished");
            assert.deepEqual(without(seen, 401), [], "the console");
        },
        asked(TOKEN),
    );
    child.kill("SIGKILL");
}

/** With --public-status everybody reads, and only who has the token acts. */
async function isPublic(runs, target) {
    const { child, url } = await runs.run(plan(target), "--listen", `${ADDRESS}:0`, "--public-status");
    await open(
        url,
        async (page, seen) => {
            await moves(page, seen, url);
            quiet(seen, url);
            await page.locator("#token").fill("guessed");
            await page.getByRole("button", { name: "Stop the run" }).click();
            const said = page.locator("#operator-said");
            await eventually("a refusal", async () => (await said.textContent()).includes("operator's token"));
            assert.equal(await state(page), "running");
        },
        ONE,
    );
    child.kill("SIGKILL");
}

/** A page of another site, open in the browser of somebody who gave it the token, neither reads nor stops. */
async function keepsOthersOut(runs, target) {
    const { child, url } = await runs.run(plan(target), "--listen", `${ADDRESS}:0`);
    const bearer = { Authorization: `Bearer ${TOKEN}` };
    await open(
        `${target}/v1/users`,
        async (page) => {
            const attempt = (to, options) =>
                page.evaluate(
                    async ([to, options]) => {
                        try {
                            return (await fetch(to, options)).type;
                        } catch {
                            return "kept out";
                        }
                    },
                    [to, options],
                );
            const stop = `${url}api/v1/run/stop`;
            assert.equal(await attempt(`${url}status`, { credentials: "include" }), "kept out");
            assert.equal(await attempt(stop, { method: "POST", headers: bearer }), "kept out");
            // Sent, and unreadable; it has the password that browsers send along.
            const blind = { method: "POST", mode: "no-cors", credentials: "include" };
            assert.equal(await attempt(stop, blind), "opaque");
            const status = async () => (await fetch(`${url}status`, { headers: bearer })).json();
            const { elapsed } = await status();
            // A run that was stopped has ended by then.
            await eventually("the run to go on", async () => (await status()).elapsed > elapsed + 0.5);
            assert.equal((await status()).state, "running");
        },
        asked(TOKEN),
    );
    const own = await fetch(`${url}api/v1/run/stop`, { method: "POST", headers: bearer });
    assert.equal(own.status, 202, "who has the token and no page of another site does");
    child.kill("SIGKILL");
}

await play(program, [[asksForAToken, isPublic, keepsOthersOut]]);
