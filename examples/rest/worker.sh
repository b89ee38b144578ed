#!/usr/bin/env bash
# A worker in the shell: a loop around curl. It takes activities of the task queue "shell" and charges what they say.
#
#   PERDURE_URL=http://127.0.0.1:7420 examples/rest/worker.sh
set -euo pipefail

api="${PERDURE_URL:-http://127.0.0.1:7420}/api/v1/namespaces/default"
ask() { curl --silent --show-error --fail --max-time 90 --header "Content-Type: application/json" "$api/$1" --data "$2"; }
field() { sed --quiet "s/.*\"$1\":\"\?\([^\",}]*\).*/\1/p"; } # enough for numbers and plain words; use jq for more

while true; do
    # Waits until there is a task. No answer is no task: ask again.
    task=$(ask task-queues/shell/activities/poll '{"identity": "worker.sh", "activity_types": ["charge"]}')
    [ -n "$task" ] || continue

    token=$(field task_token <<<"$task")
    amount=$(field amount <<<"$task")
    ask "activities/$token/heartbeat" '{"details": ["charging"]}' >/dev/null

    if [ "$amount" -gt 1000 ]; then
        ask "activities/$token/fail" '{"message": "too much", "type": "CardDeclined", "non_retryable": true}'
    else
        # The idempotency key is the same in every attempt: a payment service would drop the repeat.
        key=$(field idempotency_key <<<"$task")
        ask "activities/$token/complete" "{\"result\": {\"charged\": $amount, \"receipt\": \"$key\"}}"
    fi
done
