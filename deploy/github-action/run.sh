#!/usr/bin/env bash
# The second step of action.yml: runs the plan, leaves the exit code in the output `exit-code`, and ends with it. Inputs
# are in LT_… variables.
set -euo pipefail

# Quotes and backslashes as in a shell, but nothing is expanded or executed.
parsed=$(mktemp)
trap 'rm -f "$parsed"' EXIT
printf '%s' "$LT_ARGS" | xargs -r printf '%s\0' >"$parsed"
mapfile -d '' -t args <"$parsed"
[ -z "$LT_PLAN" ] || args=(--plan "$LT_PLAN" "${args[@]}")

mkdir -p "$LT_REPORTS"
reports=$(cd "$LT_REPORTS" && pwd)
echo "reports=$reports" >>"$GITHUB_OUTPUT"

code=0
"$LT_PROGRAM" "${args[@]}" --quiet \
    --report "$reports/report.json" --report "$reports/report.html" --report "$reports/junit.xml" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"

if [ "$code" -eq 4 ] && [ "$LT_ALLOW_INCONCLUSIVE" = true ]; then
    echo "::warning title=loadtester::The measurement cannot decide (exit code 4). allow-inconclusive lets the step pass."
    exit 0
fi
exit "$code"
