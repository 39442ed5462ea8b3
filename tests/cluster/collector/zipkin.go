// The exporter "zipkin": the Collector's own queue, retries, HTTP client and translation, and one POST between them.
//
// The module of the exporter of this name is not served by every module proxy; all that it is made of is. It
// understands `endpoint` and the other settings of an HTTP client, which is what our configuration says.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv2"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type zipkinConfig struct {
	confighttp.ClientConfig `mapstructure:",squash"`
	Queue                   configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Retry                   configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
}

func (config *zipkinConfig) Validate() error {
	if config.Endpoint == "" {
		return errors.New("an endpoint is needed, such as http://zipkin:9411/api/v2/spans")
	}
	return nil
}

func zipkinFactory() exporter.Factory {
	return exporter.NewFactory(
		component.MustNewType("zipkin"),
		func() component.Config {
			return &zipkinConfig{
				ClientConfig: confighttp.NewDefaultClientConfig(),
				Queue:        configoptional.Some(exporterhelper.NewDefaultQueueConfig()),
				Retry:        configretry.NewDefaultBackOffConfig(),
			}
		},
		exporter.WithTraces(newZipkin, component.StabilityLevelStable),
	)
}

func newZipkin(ctx context.Context, set exporter.Settings, from component.Config) (exporter.Traces, error) {
	config := from.(*zipkinConfig)
	zipkin := &zipkin{config: config, settings: set.TelemetrySettings}
	return exporterhelper.NewTraces(ctx, set, config, zipkin.send,
		exporterhelper.WithStart(zipkin.start),
		exporterhelper.WithQueue(config.Queue),
		exporterhelper.WithRetry(config.Retry),
	)
}

type zipkin struct {
	config     *zipkinConfig
	settings   component.TelemetrySettings
	client     *http.Client
	translator zipkinv2.FromTranslator
}

func (z *zipkin) start(ctx context.Context, host component.Host) (err error) {
	z.client, err = z.config.ToClient(ctx, host.GetExtensions(), z.settings)
	return err
}

func (z *zipkin) send(ctx context.Context, traces ptrace.Traces) error {
	spans, err := z.translator.FromTraces(traces)
	if err != nil {
		return fmt.Errorf("spans that Zipkin cannot hold: %w", err)
	}
	body, err := json.Marshal(spans)
	if err != nil {
		return fmt.Errorf("spans that JSON cannot hold: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, z.config.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := z.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", z.config.Endpoint, answer.Status)
	}
	return nil
}
