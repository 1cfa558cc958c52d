// A page in a headless Chromium, watched: what it says on its console, and every request that leaves it.
//
// What stays out: what a page has to show. Each page has a file of its own that says so.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Widths at which pages have to be readable: a phone and a screen, in CSS pixels. */
export const WIDTHS = [400, 1280];
/** Colour schemes a page has to know. */
export const SCHEMES = ["light", "dark"];

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Where the browser is: `CHROMIUM`, or the first that is installed. */
function program() {
    if (process.env.CHROMIUM) return process.env.CHROMIUM;
    for (const name of NAMES) {
        try {
            return execFileSync("which", [name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
        } catch {
            // the next one
        }
    }
    throw new Error("no Chromium: install one, or name it in the variable CHROMIUM");
}

/** The one browser of this process: to start one takes longer than most that is done in it. */
let browser;

/** Start the browser, unless it runs. */
export function start() {
    browser ??= chromium.launch({
        executablePath: program(),
        // Tests run as root in containers, where Chromium's own sandbox cannot be set up.
        args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
    return browser;
}

/** Close the browser; without that the process does not end. */
export async function close() {
    await (await browser)?.close();
    browser = undefined;
}

/** The dashboard's script as a program has it that was built without htmx and idiomorph. */
const OWN_SCRIPT = new URL("../../src/web/scripts/page.js", import.meta.url);

/**
 * Open `url` for each width and scheme, all at once, and let `look` judge it.
 *
 * `look(page, seen, {width, scheme})` gets a playwright page and what was `seen` so far: `complaints`
 * (console errors and warnings, exceptions), `requests` (every URL that was asked for, the page's own first) and `answers`
 * (status and URL of each). With `alone` the page gets its own script, and none that was fetched for the build.
 */
export async function open(url, look, { widths = WIDTHS, schemes = SCHEMES, alone = false, ...context } = {}) {
    const one = async (width, scheme) => {
        const opened = await (await start()).newContext({
            viewport: { width, height: 900 },
            colorScheme: scheme,
            ...context,
        });
        const page = await opened.newPage();
        if (alone) {
            const script = { contentType: "text/javascript", body: readFileSync(OWN_SCRIPT, "utf8") };
            await page.route("**/scripts.js", (route) => route.fulfill(script));
        }
        const seen = { complaints: [], requests: [], answers: [] };
        page.on("console", (message) => {
            if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
        });
        page.on("pageerror", (error) => seen.complaints.push(String(error)));
        page.on("request", (request) => seen.requests.push(request.url()));
        page.on("response", (answer) => seen.answers.push([answer.status(), answer.url()]));
        await page.goto(url, { waitUntil: "load" });
        await look(page, seen, { width, scheme });
        await opened.close();
    };
    await Promise.all(widths.flatMap((width) => schemes.map((scheme) => one(width, scheme))));
}

/** The page at `url` neither complained nor asked anybody else for anything. */
export function quiet(seen, url) {
    assert.deepEqual(seen.complaints, [], "the console");
    const strange = seen.requests.filter((asked) => !asked.startsWith(url) && !asked.startsWith("blob:"));
    assert.deepEqual(strange, [], "requests to others");
    assert(seen.requests.length > 3, "it asked for its parts");
}

/** Nothing of the page stands out of the window to the right; what is wider scrolls by itself. */
export async function fits(page) {
    return page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
}

/**
 * Texts whose contrast with what is behind them is below `least` (WCAG 2.2, success criterion 1.4.3: 4.5), and fields
 * whose edge is hardly seen (1.4.11: 3).
 * Looks at plain backgrounds only; returns at most ten, as words.
 */
export async function faint(page, least = 4.5) {
    return page.evaluate((least) => {
        const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        const channels = (colour) => {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const luminance = (rgb) => {
            const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (element) => {
            for (let e = element; e; e = e.parentElement) {
                const colour = channels(getComputedStyle(e).backgroundColor);
                if (colour[3] > 250) return colour;
            }
            return channels(getComputedStyle(document.documentElement).backgroundColor);
        };
        const contrast = (one, other) => {
            const [a, b] = [luminance(one.slice(0, 3)), luminance(other.slice(0, 3))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        };
        const found = [];
        for (const field of document.querySelectorAll("input")) {
            if (!field.checkVisibility()) continue;
            const edge = contrast(channels(getComputedStyle(field).borderTopColor), behind(field.parentElement));
            if (edge < 3) found.push(`the edge of #${field.id} ${edge.toFixed(2)}`);
        }
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode() && found.length < 10) {
            const element = walker.currentNode.parentElement;
            const text = walker.currentNode.textContent.trim();
            if (!text || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
            if (element.getBoundingClientRect().width <= 1) continue; // spoken only
            const style = getComputedStyle(element);
            const ink = element instanceof SVGElement ? style.fill : style.color;
            const [front, back] = [channels(ink), behind(element)];
            if (front[3] < 250 || back[3] < 250) continue;
            const seen = contrast(front, back);
            if (seen < least) found.push(`"${text.slice(0, 40)}" ${seen.toFixed(2)}`);
        }
        return found;
    }, least);
}
