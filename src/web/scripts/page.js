
// What the dashboard does beyond htmx's attributes.
(() => {
    "use strict";

    // Whether a table is folded is the reader's choice, whatever the next picture says.
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "open";

    // Say when nobody answers any more, and take it back when somebody does.
    const lost = () => document.getElementById("lost");
    document.addEventListener("htmx:afterRequest", (event) => {
        const notice = lost();
        if (event.detail.successful) {
            notice.hidden = true;
        } else if (notice.hidden) {
            document.getElementById("lost-since").textContent = new Date().toLocaleTimeString();
            notice.hidden = false;
        }
    });
})();
