// Spans for Zipkin, by hand: where a span's parent is said by W3C's `traceparent`, and its collector by the environment.
package main

import (
	"bytes"
	"crypto/rand"
	encoding "encoding/hex"
	"encoding/json"
	"log"
	"net/http"
	"regexp"
	"sync"
	"time"
)

var (
	parent = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f][13579bdf]$`) // the last bit says that it is sampled
	hex    = encoding.EncodeToString
)

type span struct {
	TraceID   string            `json:"traceId"`
	ParentID  string            `json:"parentId"`
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Timestamp int64             `json:"timestamp"` // microseconds since 1970
	Duration  int64             `json:"duration"`
	Local     map[string]string `json:"localEndpoint"`
	Tags      map[string]string `json:"tags"`
}

// spans are kept until there is time to send them, so that no caller waits for that.
type spans struct {
	endpoint, service string
	client            http.Client
	sending           sync.Mutex // one post at a time: who flushes last waits for those under way
	mutex             sync.Mutex
	pending           []span
}

func newSpans(endpoint, service string) *spans {
	made := &spans{endpoint: endpoint, service: service, client: http.Client{Timeout: time.Second}}
	if endpoint != "" {
		go func() {
			for range time.Tick(500 * time.Millisecond) {
				made.flush()
			}
		}()
	}
	return made
}

// begin starts a span where the caller's trace is sampled; what it returns ends it.
func (s *spans) begin(name string, traceparent []string, tags map[string]string) func() {
	if s.endpoint == "" || len(traceparent) != 1 {
		return func() {}
	}
	found := parent.FindStringSubmatch(traceparent[0])
	if found == nil {
		return func() {}
	}
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails: crypto/rand
	began := time.Now()
	return func() {
		local := map[string]string{"serviceName": s.service}
		took := max(1, time.Since(began).Microseconds())
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.pending = append(s.pending, span{found[1], found[2], hex(id), name, began.UnixMicro(), took, local, tags})
	}
}

func (s *spans) flush() {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mutex.Lock()
	ended := s.pending
	s.pending = nil
	s.mutex.Unlock()
	if len(ended) == 0 {
		return
	}
	body, err := json.Marshal(ended)
	if err == nil {
		var answer *http.Response
		if answer, err = s.client.Post(s.endpoint, "application/json", bytes.NewReader(body)); err == nil {
			err = answer.Body.Close()
		}
	}
	if err != nil {
		log.Printf("%d spans were not taken: %v", len(ended), err)
	}
}
