// The program under test: runs of it, their addresses, and their end.
//
// What stays out: what a page has to show.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { close, start } from "./browser.mjs";

/** The operator's token of every run. */
export const TOKEN = "only-for-this-test";

/** Runs of `program`, with a folder of their own for plans and reports. */
export class Program {
    #program;
    #started = [];
    #plans = 0;
    room = mkdtempSync(join(tmpdir(), "loadtester-browser-"));

    constructor(program) {
        this.#program = program;
    }

    /** Start it; resolves with what follows `mark` on its line, up to the first blank or bracket. */
    async start(mark, args, environment = {}) {
        const options = { env: { ...process.env, ...environment }, stdio: ["pipe", "pipe", "pipe"] };
        const child = spawn(this.#program, args, options);
        this.#started.push(child);
        let said = "";
        const found = new Promise((resolve, reject) => {
            const read = (chunk) => {
                said += chunk;
                const at = said.indexOf(mark);
                const end = said.indexOf("\n", at);
                if (at >= 0 && end >= 0) resolve(said.slice(at + mark.length, end).trim());
            };
            child.stdout.on("data", read);
            child.stderr.on("data", read);
            child.on("exit", (code) => reject(new Error(`ended with ${code}: ${said}`)));
        });
        const ended = new Promise((resolve) => child.on("exit", resolve));
        return { child, ended, url: (await found).split(/[\s(;]/)[0] };
    }

    /** A target to load, by its base URL. */
    async target() {
        const { url } = await this.start("http://", ["--role", "target", "--listen", "127.0.0.1:0"]);
        return `http://${url.split("/")[0]}`;
    }

    /**
     * A run of `plan` with an operator, by its page's address; on loopback, and with a server that stays up after it,
     * unless `args` say otherwise.
     */
    run(plan, ...args) {
        const listen = args.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
        const linger = args.includes("--linger") ? [] : ["--linger", "5m"];
        const more = ["--plan", this.#file(plan), ...linger, ...listen, ...args];
        return this.start("dashboard at ", more, { LOADTESTER_OPERATOR_TOKEN: TOKEN });
    }

    /** A coordinator of `plan`, by its page's address. */
    coordinator(plan, environment, ...args) {
        const own = ["--role", "coordinator", "--plan", this.#file(plan), "--linger", "5m"];
        return this.start("coordinator at ", [...own, ...args], environment);
    }

    /** A worker of the coordinator at `url`. */
    worker(url, environment = {}) {
        const args = ["--role", "worker", "--coordinator", url.replace(/\/$/, ""), "--no-listen"];
        const child = spawn(this.#program, args, { env: { ...process.env, ...environment } });
        this.#started.push(child);
        return child;
    }

    #file(plan) {
        this.#plans += 1;
        const file = join(this.room, `plan-${this.#plans}.yaml`);
        writeFileSync(file, plan);
        return file;
    }

    /** End everything that was started. */
    end() {
        this.#started.forEach((child) => child.kill("SIGKILL"));
        rmSync(this.room, { recursive: true, force: true });
    }
}

/** What `look` finds, asked again until it finds something. */
export async function eventually(what, look, seconds = 40) {
    const until = Date.now() + seconds * 1000;
    while (Date.now() < until) {
        const found = await look();
        if (found) return found;
        await pause(100);
    }
    throw new Error(`waited in vain: ${what}`);
}

/**
 * Run the `parts` of a test against a target, and end everything after it. A part that is a list of parts runs all of
 * them at once: most wait most of the time.
 */
export async function play(program, parts) {
    const runs = new Program(program);
    const timed = async (part, target) => {
        const began = performance.now();
        await part(runs, target);
        console.log(`${part.name}: as it should be (${((performance.now() - began) / 1000).toFixed(0)} s)`);
    };
    try {
        // Before anything runs, so that no run is missed meanwhile.
        await start();
        const target = await runs.target();
        for (const part of parts) await Promise.all([part].flat().map((one) => timed(one, target)));
    } finally {
        runs.end();
        await close();
    }
}
