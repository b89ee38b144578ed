// Tells stories as a worker and a client in Temporal's Go SDK: a line of JSON for each.
//
//	stories --address 127.0.0.1:7233 [--cache 0] [--serve] [STORY ...]
//	stories --replay FILE ...
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	queue        = "go"
	atOnce       = 24
	storySeconds = 50
)

// quiet is a logger that says nothing: stories speak in JSON.
var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// stories are all there are, by name.
var stories = map[string]func(*teller) (any, error){}

func main() {
	address := flag.String("address", "127.0.0.1:7233", "of the server")
	namespace := flag.String("namespace", "default", "to tell them in")
	cache := flag.Int("cache", 1000, "how many runs a worker keeps in memory")
	serve := flag.Bool("serve", false, "only work, until told to stop")
	replay := flag.Bool("replay", false, "replay these histories, in Temporal's JSON, instead of telling stories")
	var who security
	flag.StringVar(&who.authority, "ca", "", "a file with the certificate of the server's issuer; plain text without")
	flag.StringVar(&who.certificate, "cert", "", "a file with a certificate of one's own")
	flag.StringVar(&who.key, "key", "", "a file with its key")
	flag.StringVar(&who.apiKey, "api-key", "", "who calls")
	flag.Parse()
	addAll()
	if *replay {
		os.Exit(replayAll(flag.Args()))
	}
	worker.SetStickyWorkflowCacheSize(*cache)
	options, err := who.options(*address, *namespace)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c, err := client.Dial(options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{WorkerStopTimeout: time.Second})
	register(w)
	if err := w.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer w.Stop()
	if *serve {
		fmt.Println("ready")
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
		return
	}
	tellAll(c, flag.Args())
}

func addAll() {
	addActivityStories()
	addLocalStories()
	addMessageStories()
	addChildStories()
	addLifeStories()
	addNexusStories()
}

// registry is what a worker and a replayer have in common.
type registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
	RegisterDynamicWorkflow(w any, options workflow.DynamicRegisterOptions)
}

func register(w worker.Worker) {
	registerWorkflows(w)
	registerOperations(w)
	for name, function := range activities {
		w.RegisterActivityWithOptions(function, activity.RegisterOptions{Name: name})
	}
}

func registerWorkflows(w registry) {
	for name, function := range workflows {
		w.RegisterWorkflowWithOptions(function, workflow.RegisterOptions{Name: name})
	}
}

func tellAll(c client.Client, names []string) {
	if len(names) == 0 {
		for name := range stories {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var all sync.WaitGroup
	var speaking sync.Mutex
	turn := make(chan struct{}, atOnce)
	for _, name := range names {
		all.Add(1)
		go func() {
			defer all.Done()
			turn <- struct{}{}
			defer func() { <-turn }()
			line := tell(c, name)
			speaking.Lock()
			defer speaking.Unlock()
			fmt.Println(string(line))
		}()
	}
	all.Wait()
}

// tell tells one story, whatever becomes of it.
func tell(c client.Client, name string) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), storySeconds*time.Second)
	defer cancel()
	t := &teller{Client: c, ctx: ctx, name: name, follow: true, runs: [][2]string{}}
	line := map[string]any{"story": name}
	story, known := stories[name]
	if !known {
		line["error"] = "no such story"
	} else if result, err := guarded(story, t); err != nil {
		line["error"] = err.Error()
	} else {
		line["result"] = result
	}
	line["runs"], line["follow"] = t.runs, t.follow
	encoded, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	return encoded
}

func guarded(story func(*teller) (any, error), t *teller) (result any, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("panic: %v", problem)
		}
	}()
	return story(t)
}
