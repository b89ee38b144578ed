package main

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/worker"
)

// replayAll replays histories that were written in Temporal's JSON, a line for each; the exit code.
func replayAll(files []string) int {
	code := 0
	replayer := worker.NewWorkflowReplayer()
	registerWorkflows(replayer)
	for _, file := range files {
		line := map[string]any{"file": file}
		if err := replayer.ReplayWorkflowHistoryFromJSONFile(quiet, file); err != nil {
			line["error"] = err.Error()
			code = 1
		}
		encoded, _ := json.Marshal(line)
		fmt.Println(string(encoded))
	}
	return code
}
