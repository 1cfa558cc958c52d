
// What the dashboard does beyond htmx's attributes.
(() => {
    "use strict";
    const element = (id) => document.getElementById(id);

    // Whether a table is folded is the reader's choice, whatever the next picture says.
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name) => name !== "open";

    // The operator's form works by script alone: the token goes into a header field, and nowhere else.
    const operator = element("operator");
    if (operator) operator.hidden = false;
    // Nobody starts what has begun, not by Enter either: that presses a form's first button.
    const begun = () => document.querySelector("header").dataset.state !== "starting";
    const withdraw = () => {
        if (begun()) operator?.querySelector(".start")?.remove();
    };
    withdraw();
    document.addEventListener("htmx:afterSwap", withdraw);
    const byOperator = (event) => operator !== null && operator.contains(event.detail.elt);
    document.addEventListener("htmx:configRequest", (event) => {
        if (byOperator(event)) event.detail.headers.Authorization = `Bearer ${element("token").value.trim()}`;
    });

    // Say when nobody answers any more, and take it back when somebody does.
    document.addEventListener("htmx:afterRequest", (event) => {
        const { successful, xhr } = event.detail;
        if (byOperator(event)) {
            element("operator-said").textContent = xhr.responseText.trim() || "no answer";
            return;
        }
        const lost = element("lost");
        if (successful) {
            lost.hidden = true;
        } else if (lost.hidden) {
            element("lost-since").textContent = new Date().toLocaleTimeString();
            lost.hidden = false;
        }
    });
})();
