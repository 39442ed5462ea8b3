// Serves helloworld.Greeter/SayHello on $PORT: a number of rounds and a text in, the checksum of its lines out.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// HelloRequest and HelloReply have their text in field 1, as StringValue has: on the wire they are the same.
type text = wrapperspb.StringValue

type greeter struct{ spans *spans }

func (g *greeter) sayHello(ctx context.Context, request *text) (*text, error) {
	first, page, found := strings.Cut(request.GetValue(), "\n")
	rounds, err := strconv.Atoi(first)
	if !found || err != nil || rounds < 1 {
		return nil, status.Errorf(codes.InvalidArgument, "%.40q is no number of rounds and a text", request.GetValue())
	}
	incoming, _ := metadata.FromIncomingContext(ctx)
	lines := strings.Split(page, "\n")
	ended := g.spans.begin("checksum", incoming.Get("traceparent"), map[string]string{
		"checksum.lines": strconv.Itoa(len(lines)),
	})
	defer ended()
	told, err := json.Marshal(map[string]any{"lines": len(lines), "sha256": checksum(lines, rounds)})
	return wrapperspb.String(string(told)), err
}

func checksum(lines []string, rounds int) string {
	whole := sha256.New()
	for _, line := range lines {
		found := sha256.Sum256([]byte(line))
		for range rounds - 1 {
			found = sha256.Sum256(found[:])
		}
		whole.Write(found[:])
	}
	return hex(whole.Sum(nil))
}

func handle(server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(text)
	if err := decode(request); err != nil {
		return nil, err
	}
	return server.(*greeter).sayHello(ctx, request)
}

var service = grpc.ServiceDesc{
	ServiceName: "helloworld.Greeter",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "SayHello", Handler: handle}},
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8081"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	sending := newSpans(os.Getenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT"), os.Getenv("OTEL_SERVICE_NAME"))
	server := grpc.NewServer(grpc.MaxRecvMsgSize(1 << 30))
	server.RegisterService(&service, &greeter{sending})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-told
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
	sending.flush()
}
