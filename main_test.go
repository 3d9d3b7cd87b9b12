package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// environment is a getenv for tests: names and values in turn.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// flagNames are the flags that the help lists.
func flagNames(t *testing.T) []string {
	t.Helper()
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, environment(), &help); err == nil {
		t.Fatal("-h is no help")
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(help.String(), -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("the help lists %q only:\n%s", names, &help)
	}
	return names
}

func TestEveryOptionHasAnEnvironmentTwin(t *testing.T) {
	for _, name := range flagNames(t) {
		value := map[string]string{"stop-timeout": "77s", "max-file": "77777", "max-files-per-user": "777777", "verbose": "true", "replace": "true", "users": "77", "conversations": "77", "messages": "77"}[name]
		if value == "" {
			value = "value-77"
		}
		usual, err := parse(nil, environment(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		twin := "STARLING_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		byEnv, err := parse(nil, environment(twin, value), io.Discard)
		if err != nil {
			t.Errorf("%s=%s: %v", twin, value, err)
		}
		byFlag, err := parse([]string{"--" + name + "=" + value}, environment(), io.Discard)
		if err != nil {
			t.Errorf("--%s=%s: %v", name, value, err)
		}
		if byEnv == usual || byEnv != byFlag {
			t.Errorf("%s gives %+v, --%s gives %+v", twin, byEnv, name, byFlag)
		}
		if name == "verbose" || name == "replace" {
			continue
		}
		other := strings.ReplaceAll(value, "77", "88")
		if both, err := parse([]string{"--" + name, value}, environment(twin, other), io.Discard); err != nil || both != byFlag {
			t.Errorf("with %s too, --%s gives %+v %v", twin, name, both, err)
		}
	}
}

func TestEveryOptionOfTheConfigurationHasAFlag(t *testing.T) {
	if flags, fields := len(flagNames(t)), reflect.TypeFor[Config]().NumField(); flags != fields {
		t.Errorf("%d flags for %d fields of Config", flags, fields)
	}
}

func TestTheDataGoesWhereTheSystemWantsIt(t *testing.T) {
	for want, env := range map[string][]string{
		"/x/starling":              {"XDG_DATA_HOME", "/x", "HOME", "/h"},
		"/h/.local/share/starling": {"HOME", "/h"},
		"starling-data":            {},
		"/d":                       {"STARLING_DATA", "/d", "HOME", "/h"},
	} {
		if cfg, err := parse(nil, environment(env...), io.Discard); err != nil || cfg.Data != filepath.FromSlash(want) {
			t.Errorf("%v: %q %v", env, cfg.Data, err)
		}
	}
}

// runs runs the program to its end.
func runs(t *testing.T, getenv func(string) string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	status = run(ctx, args, getenv, &out, &errs)
	if ctx.Err() != nil {
		t.Fatalf("%q did not end: %s", args, &errs)
	}
	return status, out.String(), errs.String()
}

func TestAWrongCommandLineEndsWithTwoAndWords(t *testing.T) {
	data := t.TempDir()
	for _, c := range []struct {
		args  []string
		env   []string
		words string
	}{
		{args: []string{"--nonsense"}, words: "nonsense"},
		{args: []string{"--stop-timeout", "soon"}, words: `"soon" for flag -stop-timeout: write a duration like 10s`},
		{args: []string{"--stop-timeout", "-5s"}, words: `"-5s" for flag -stop-timeout: write a duration like 10s`},
		{args: []string{"--max-file", "25MB"}, words: `"25MB" for flag -max-file: write a number of bytes`},
		{args: []string{"--max-files-per-user", "1G"}, words: "write a number of bytes of at least 1024"},
		{args: []string{"--max-files-per-user", "1"}, words: "write a number of bytes of at least 1024"},
		{args: []string{"--max-file", "0"}, words: "write a number of bytes"},
		{args: []string{"--stop-timeout=10"}, words: "write a duration like 10s"},
		{args: []string{"--users", "many", "seed"}, words: `"many" for flag -users: write a whole number like 20`},
		{args: []string{"--verbose=perhaps"}, words: `"perhaps" for -verbose: write true or false`},
		{args: []string{"serve", "extra"}, words: `unexpected argument "extra"`},
		{args: []string{"fly"}, words: `unknown command "fly": try serve`},
		{env: []string{"STARLING_STOP_TIMEOUT", "soon"}, words: `STARLING_STOP_TIMEOUT="soon": write a duration like 10s`},
		{env: []string{"STARLING_STOP_TIMEOUT", "-1s"}, words: `STARLING_STOP_TIMEOUT="-1s": write a duration like 10s`},
		{env: []string{"STARLING_VERBOSE", "perhaps"}, words: `STARLING_VERBOSE="perhaps": write true or false`},
		{env: []string{"STARLING_USERS", "1.5"}, words: `STARLING_USERS="1.5": write a whole number like 20`},
		{args: []string{"--scheme", "rot13"}, words: `unknown scheme "rot13"`},
		{args: []string{"seed", "--scheme", "rot13"}, words: `unknown scheme "rot13"`},
		{args: []string{"--upstream", "chat.example.com"}, words: "http://"},
		{args: []string{"--upstream", "http://h", "--upstream-listener", "http://h"}, words: "ws://"},
		{args: []string{"demo", "--upstream", "http://h"}, words: "leave --upstream out"},
		{args: []string{"--data", data, "--addr", "127.0.0.1:0", "--tls-cert", "x.pem"}, words: "go together"},
	} {
		status, _, said := runs(t, environment(c.env...), c.args...)
		if status != 2 || !strings.Contains(said, c.words) {
			t.Errorf("%q %q ends with %d and says %q, want 2 and %q", c.env, c.args, status, said, c.words)
		}
	}
}

func TestHelpAndVersionAreNoErrors(t *testing.T) {
	for _, args := range [][]string{{"-h"}, {"--help"}, {"serve", "-h"}, {"help"}, {"help", "serve"}} {
		if status, _, said := runs(t, environment(), args...); status != 0 || !strings.Contains(said, "starling demo") || !strings.Contains(said, "STARLING_ADDR") {
			t.Errorf("%q ends with %d and says %q", args, status, said)
		}
	}
	if status, said, _ := runs(t, environment(), "version"); status != 0 || !strings.HasPrefix(said, "starling ") {
		t.Errorf("version ends with %d and says %q", status, said)
	}
}

func TestWhatKeepsItFromServingIsToldInASentence(t *testing.T) {
	siteFor(t) // or the program is not built
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	spoilt := filepath.Join(dir, "spoilt")
	if err := os.MkdirAll(spoilt, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(spoilt, "starling.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good")
	for name, c := range map[string]struct {
		args  []string
		words string
	}{
		"port taken":          {[]string{"--data", good, "--addr", taken.Addr().String()}, "is in use: stop the other program, or choose another with --addr"},
		"no such host":        {[]string{"--data", good, "--addr", "no.such.host.invalid:1"}, "choose another with --addr"},
		"no address":          {[]string{"--data", good, "--addr", "nonsense"}, "choose another with --addr"},
		"data is a file":      {[]string{"--data", file, "--addr", "127.0.0.1:0"}, "choose another with --data"},
		"data under a file":   {[]string{"--data", filepath.Join(file, "x"), "--addr", "127.0.0.1:0"}, "choose another with --data"},
		"no database":         {[]string{"--data", spoilt, "--addr", "127.0.0.1:0"}, "starling.db"},
		"seed, no database":   {[]string{"seed", "--data", spoilt}, "starling.db"},
		"certificate missing": {[]string{"--data", good, "--addr", "127.0.0.1:0", "--tls-cert", "no.pem", "--tls-key", "no.pem"}, "check the files of --tls-cert and --tls-key"},
		"seed of nobody":      {[]string{"seed", "--data", good, "--users", "0"}, "too few"},
	} {
		if testing.Short() && strings.HasPrefix(name, "no ") {
			continue // preparing what is served takes long under the race detector
		}
		status, _, said := runs(t, environment(), c.args...)
		if status != 1 || !strings.Contains(said, c.words) || strings.Contains(said, "listening on") || strings.Count(strings.TrimSpace(said), "starling: ") != 1 {
			t.Errorf("%s: it ends with %d and says %q, want 1 and %q", name, status, said, c.words)
		}
	}
}

// output collects what a running program says.
type output struct {
	mu   sync.Mutex
	said bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.said.String()
}

// serving runs the program until stop is called, which gives its exit status.
func serving(t *testing.T, args ...string) (url string, said *output, stop func() int) {
	t.Helper()
	siteFor(t)
	ctx, cancel := context.WithCancel(context.Background())
	said = &output{}
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, environment(), said, said) }()
	stop = sync.OnceValue(func() int {
		cancel()
		return <-done
	})
	t.Cleanup(func() { stop() })
	line := regexp.MustCompile(`listening on (https?://127\.0\.0\.1:[1-9][0-9]*)\n`)
	limit := time.After(time.Minute)
	for {
		if m := line.FindStringSubmatch(said.String()); m != nil {
			return m[1], said, stop
		}
		select {
		case status := <-done:
			t.Fatalf("%q ended with %d: %s", args, status, said)
		case <-limit:
			t.Fatalf("%q does not serve: %s", args, said)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(t *testing.T, url string) (status int, text string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestItServesOnAFreePortWhatItSaysAndStopsWithZero(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new", "data")
	url, said, stop := serving(t, "--addr", "127.0.0.1:0", "--data", data)
	if status, page := get(t, url+"/"); status != 200 || !strings.Contains(page, "<title>Starling</title>") {
		t.Errorf("the page is %d", status)
	}
	if status, _ := get(t, url+"/readyz"); status != 200 {
		t.Errorf("/readyz is %d", status)
	}
	res, err := client.Post(url+apiPath+"?srv=chatserver&api=chatlogin", "application/json", strings.NewReader(`{"action":"login","apikey":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !strings.Contains(string(b), `"status":"ERROR"`) {
		t.Errorf("the API answers %q", b)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may look into the data: %v %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(data, "starling.db")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the database: %v %v", info, err)
	}
	if status := stop(); status != 0 {
		t.Errorf("it ended with %d: %s", status, said)
	}
	if _, err := client.Get(url); err == nil {
		t.Error("it serves after its end")
	}
}

func TestTheDemoTellsItsPasswordAndIsMadeOnce(t *testing.T) {
	data := t.TempDir()
	for range map[bool]int{true: 1, false: 2}[testing.Short()] {
		_, said, stop := serving(t, "demo", "--addr", "127.0.0.1:0", "--data", data)
		for _, want := range []string{"alice@example.com", "bob@example.com", "starling-demo"} {
			if !strings.Contains(said.String(), want) {
				t.Errorf("it does not say %s: %s", want, said)
			}
		}
		if status := stop(); status != 0 {
			t.Errorf("it ended with %d", status)
		}
	}
}

func TestSeedFillsTheDatabase(t *testing.T) {
	data := t.TempDir()
	for range 2 {
		status, out, errs := runs(t, environment(), "seed", "--data", data, "--users", "2", "--conversations", "3", "--messages", "2")
		if status != 0 || out == "" {
			t.Errorf("seed ends with %d and says %q %q", status, out, errs)
		}
	}
}

func TestTheLogHasNoSecrets(t *testing.T) {
	url, said, stop := serving(t, "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--verbose")
	req, _ := http.NewRequest(http.MethodPost, url+apiPath+"?srv=chatserver&api=chatlogin&token=SECRET1", strings.NewReader(`{"action":"login","apikey":"SECRET2"}`))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Ozeki-Station", "5ec4e70000000000000000000000beef")
	req.Header.Set("Ozeki-Signature", "SECRET3")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	stop()
	log := said.String()
	if !strings.Contains(log, "api=chatlogin") {
		t.Errorf("--verbose does not log requests: %s", log)
	}
	for _, secret := range []string{"SECRET", "5ec4e7"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log: %s", secret, log)
		}
	}
}
