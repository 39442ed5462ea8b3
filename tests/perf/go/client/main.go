// A load that is nothing but grpc-go: `client ADDRESS CONNECTIONS IN-FLIGHT SECONDS MESSAGE-BYTES` keeps that many calls
// under way, counts them, and keeps each one's latency. One line of JSON tells what came of it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/examples/helloworld/helloworld"
)

type told struct {
	Ok      int     `json:"ok"`
	Failed  int     `json:"failed"`
	Seconds float64 `json:"seconds"`
}

type worker struct {
	ok, failed int
	latencies  []time.Duration
}

func number(text string) int {
	found, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return found
}

func dial(address string) helloworld.GreeterClient {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := helloworld.NewGreeterClient(connection)
	if _, err := client.SayHello(context.Background(), &helloworld.HelloRequest{}, grpc.WaitForReady(true)); err != nil {
		log.Fatal(err)
	}
	return client
}

func (w *worker) drive(client helloworld.GreeterClient, name string, end time.Time) {
	for begun := time.Now(); begun.Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_, err := client.SayHello(ctx, &helloworld.HelloRequest{Name: name})
		cancel()
		done := time.Now()
		if err != nil {
			w.failed++
		} else {
			w.ok++
			w.latencies = append(w.latencies, done.Sub(begun))
		}
		begun = done
	}
}

func main() {
	address, name := os.Args[1], strings.Repeat("x", number(os.Args[5]))
	clients := make([]helloworld.GreeterClient, number(os.Args[2]))
	for i := range clients {
		clients[i] = dial(address)
	}
	workers := make([]worker, number(os.Args[3]))
	begun := time.Now()
	end := begun.Add(time.Duration(number(os.Args[4])) * time.Second)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { workers[i].drive(clients[i%len(clients)], name, end) })
	}
	group.Wait()
	sum := told{Seconds: time.Since(begun).Seconds()}
	for _, each := range workers {
		sum.Ok += each.ok
		sum.Failed += each.failed
	}
	if err := json.NewEncoder(os.Stdout).Encode(sum); err != nil {
		log.Fatal(err)
	}
}
