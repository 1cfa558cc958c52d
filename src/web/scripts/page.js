
// What the dashboard does in a browser: it asks for its parts, keeps the last picture and says so when nobody
// answers any more, and lets an operator act. Where htmx and idiomorph were fetched before the build, they ask
// and exchange, as the page's attributes say; else the lower half of this file does, by the same attributes.
(() => {
    "use strict";
    const element = (id) => document.getElementById(id);
    const parts = [...document.querySelectorAll("[hx-get]")];
    const isPart = (one) => parts.includes(one);
    const state = () => document.querySelector("header").dataset.state;
    const isOver = () => state() === "finished";
    // The status of a part that will not change any more.
    const LAST = 286;
    // A request may fail once while the program is alive: it closes idle connections, and a busy machine is slow.
    const SILENCE_MS = 3000;
    // By this number the server knows its open pages, and stops when each has the final picture.
    const page = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);

    const operator = element("operator");
    const said = (text) => (element("operator-said").textContent = text.trim() || "no answer");
    const credentials = () => `Bearer ${element("token").value.trim()}`;
    // The token goes into a header field, and nowhere else: only a script can do that.
    if (operator) operator.hidden = false;
    // Nobody starts what has begun, not by Enter either: that presses a form's first button.
    const withdrawStart = () => {
        if (state() !== "starting") operator?.querySelector(".start")?.remove();
    };

    let heard = new Date();
    // The parts of the last picture that are here: the program may end as soon as the page has all.
    const final = new Set();
    /** A request for `part` ended with `status`, 0 without an answer; `ask` asks for a part at once. */
    const ended = (part, status, ask) => {
        if (status >= 200 && status < 300) {
            heard = new Date();
            element("lost").hidden = true;
            withdrawStart();
            if (status === LAST) final.add(part);
            if (status === LAST && part === parts[0]) parts.filter((other) => !final.has(other)).forEach(ask);
        } else if (isOver()) {
            element("older").hidden = false;
        } else if (element("lost").hidden && Date.now() - heard > SILENCE_MS) {
            element("lost-since").textContent = heard.toLocaleTimeString();
            element("lost").hidden = false;
        }
    };

    /** Reports can be downloaded while the program lives, which the page knows in seconds after the end. */
    const offerDownloads = () => {
        const offer = document.querySelector("[data-seconds]");
        if (!offer || offer.timer) return;
        const withdraw = async () => {
            const alive = await fetch("/healthz").then(
                (answer) => answer.ok,
                () => false,
            );
            offer.hidden = !alive;
            element("ended").hidden = alive;
        };
        // A timer holds 2^31 ms at most; a page that is open for longer still has its links.
        offer.timer = setTimeout(withdraw, Math.min(offer.dataset.seconds * 1000, 2 ** 31 - 1));
    };

    const withHtmx = () => {
        const on = (name, act) => document.addEventListener(`htmx:${name}`, act);
        // Whether a table is folded is the reader's choice, whatever the next picture says.
        Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "open";
        const ask = (part) => htmx.trigger(part, "over");
        const unanswered = new Set();
        on("configRequest", ({ detail }) => {
            if (isPart(detail.elt)) detail.parameters.page = page;
            else detail.headers.Authorization = credentials();
        });
        on("beforeRequest", (event) => {
            const { elt } = event.detail;
            if (final.has(elt) || (isOver() && unanswered.has(elt))) event.preventDefault();
            // Nothing is sent without a token.
            if (!isPart(elt) && !operator.reportValidity()) event.preventDefault();
        });
        on("afterRequest", ({ detail: { elt, successful, xhr } }) => {
            if (!isPart(elt)) return said(xhr.responseText);
            if (!successful) unanswered.add(elt);
            ended(elt, successful ? xhr.status : 0, ask);
            offerDownloads();
        });
    };

    const alone = () => {
        /** Changes `old` into `fresh`: what is the same stays, with its focus and scrolled place. */
        const morph = (old, fresh) => {
            const before = [...old.childNodes];
            const after = [...fresh.childNodes];
            after.forEach((node, i) => {
                const there = before[i];
                if (!there) old.append(node);
                else if (there.nodeName !== node.nodeName || there.id !== node.id) there.replaceWith(node);
                else if (node.nodeType !== Node.ELEMENT_NODE) there.data !== node.data && (there.data = node.data);
                else if (!there.isEqualNode(node)) {
                    attributes(there, node);
                    morph(there, node);
                }
            });
            before.slice(after.length).forEach((node) => node.remove());
        };
        const attributes = (old, fresh) => {
            for (const { name, value } of fresh.attributes) {
                if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
            }
            for (const name of old.getAttributeNames()) {
                if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
            }
        };
        const show = (part, text) => {
            const fresh = document.createElement("template");
            fresh.innerHTML = text;
            const first = fresh.content.firstElementChild;
            if (first?.localName === "title") {
                document.title = first.textContent;
                first.remove();
            }
            morph(part, fresh.content);
        };
        const every = (part) => Number(/every (\d+)s/.exec(part.getAttribute("hx-trigger"))[1]) * 1000;
        const askLater = (part) => (part.timer = setTimeout(ask, every(part), part));
        const ask = async (part) => {
            clearTimeout(part.timer);
            // The answer on its way may be the last one; if it is not, the next request follows at once.
            part.again = part.asking;
            if (part.asking) return;
            part.asking = true;
            let status = 0;
            try {
                const url = `${part.getAttribute("hx-get")}?page=${page}`;
                const answer = await fetch(url, { signal: AbortSignal.timeout(5000) });
                const text = await answer.text();
                if (answer.ok) show(part, text);
                status = answer.status;
            } catch {
                // Nobody answers, or not in time.
            }
            part.asking = false;
            const wasOver = isOver();
            ended(part, status, ask);
            offerDownloads();
            if (status === LAST) return;
            if (part.again && status > 0) ask(part);
            else if (!wasOver) askLater(part);
        };
        parts.forEach(askLater);
        operator?.addEventListener("submit", async (event) => {
            event.preventDefault();
            const headers = { Authorization: credentials() };
            const url = event.submitter.getAttribute("hx-post");
            said(await fetch(url, { method: "POST", headers }).then((answer) => answer.text(), () => ""));
        });
    };

    // The program need not wait at its end for a page that is closed.
    window.addEventListener("pagehide", () => {
        if (!isOver()) fetch(`/live/now?page=${page}&closed`, { keepalive: true }).catch(() => {});
    });
    withdrawStart();
    offerDownloads();
    if (window.htmx) withHtmx();
    else alone();
})();
