// Starling is a chat client for the Ozeki Chat API that runs in the browser, and the server that hosts it: with an
// embedded chat server of its own, or in front of an Ozeki server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"starling/chatserver"
	"starling/chatserver/data"
	"starling/chatserver/files"
	"starling/chatserver/push"
	"starling/chatserver/relay"
	"starling/chatserver/store"
	"starling/ozeki"
)

// Config is what an operator can choose. Every flag has an environment twin: --addr is STARLING_ADDR.
type Config struct {
	Addr             string        // host:port to listen on; port 0 takes a free one
	Data             string        // directory of the embedded server's database and of former browser programs
	Upstream         string        // URL of an Ozeki server's index.php; empty: the embedded server
	UpstreamListener string        // ws(s) URL of the Ozeki server's notification socket; empty: as its login answers say
	Scheme           string        // name of the signing and sealing scheme
	TLSCert, TLSKey  string        // PEM files; empty: plain HTTP
	Push             string        // "on", "off", or the hosts of the push services that are taken
	MaxFile          int64         // largest encrypted file that the embedded server takes, in bytes
	MaxFilesPerUser  int64         // of one user's files together
	StopTimeout      time.Duration // how long a stop waits for requests that are being served
	Verbose          bool          // log every request
	Replace          bool          // restore: what is in the data directory may be replaced

	Users, Conversations, Messages int // of seed
}

const usage = `Starling: a chat client in the browser, and its server.

  starling [serve]   serve the client with the embedded chat server, or in front of an Ozeki server (--upstream)
  starling demo      the same with two demo accounts and conversations to try it
  starling backup FILE    write the embedded server's data into a new file, while it serves
  starling restore FILE   put a backup into a data directory that no server uses
  starling seed      fill the embedded server's database for measurements
  starling version   print the version
  starling help      print this

Options (each has an environment twin, e.g. STARLING_ADDR for --addr):
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// usageError is a wrong command line that is noticed after it was read.
type usageError struct{ error }

// run is the program: it takes the command line and the environment and returns the exit status. It ends when ctx does.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if command == "help" {
		args = []string{"--help"}
	}
	var file []*string
	if command == "backup" || command == "restore" {
		file = []*string{new(string)}
	}
	cfg, err := parse(args, getenv, stderr, file...)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	switch command {
	case "serve":
		err = serve(ctx, cfg, false, stdout, stderr)
	case "demo":
		err = serve(ctx, cfg, true, stdout, stderr)
	case "seed":
		err = seed(ctx, cfg, stdout)
	case "backup":
		err = backup(ctx, cfg, *file[0], stdout, stderr)
	case "restore":
		err = restore(ctx, cfg, *file[0], stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, "starling", version())
	default:
		fmt.Fprintf(stderr, "starling: unknown command %q: try serve, demo, backup, restore, seed, version or help\n", command)
		return 2
	}
	if err != nil {
		fmt.Fprintf(stderr, "starling: %v\n", err)
		if errors.As(err, new(usageError)) {
			return 2
		}
		return 1
	}
	return 0
}

// parse reads the command line and the environment. operands takes what stands beside the flags, one each.
func parse(args []string, getenv func(string) string, stderr io.Writer, operands ...*string) (Config, error) {
	cfg := Config{Addr: "127.0.0.1:8000", Data: defaultData(getenv), Scheme: ozeki.DefaultScheme, MaxFile: chatserver.DefaultMaxFile, MaxFilesPerUser: chatserver.DefaultMaxFilesPerUser, Push: "on", StopTimeout: 10 * time.Second,
		Users: 50, Conversations: 100, Messages: 20}
	fs := flag.NewFlagSet("starling", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&cfg.Addr, "addr", cfg.Addr, "`host:port` to listen on; port 0 takes a free one")
	fs.StringVar(&cfg.Data, "data", cfg.Data, "`directory` of the embedded server's database and files, and of former versions of the browser program; made if missing")
	fs.StringVar(&cfg.Upstream, "upstream", "", "`URL` of an Ozeki server's index.php to stand in front of")
	fs.StringVar(&cfg.UpstreamListener, "upstream-listener", "", "ws or wss `URL` of the Ozeki server's notification socket (default: the host of --upstream and the port that its login answer names)")
	fs.StringVar(&cfg.Scheme, "scheme", cfg.Scheme, "`name` of the scheme that signs and seals: "+strings.Join(ozeki.SchemeNames, ", "))
	fs.StringVar(&cfg.TLSCert, "tls-cert", "", "`file` with the certificate chain (PEM); with --tls-key serves https")
	fs.StringVar(&cfg.TLSKey, "tls-key", "", "`file` with the certificate's key (PEM)")
	fs.Var(&option[int64]{&cfg.MaxFile, fileSize, "write a number of bytes from 1024 to 1073741824, like 26214400"}, "max-file", "embedded server: `bytes` of the largest file that people send each other")
	fs.Var(&option[int64]{&cfg.MaxFilesPerUser, roomSize, "write a number of bytes of at least 1024, like 1073741824"}, "max-files-per-user", "embedded server: `bytes` of all files together that one person has sent and that are still there")
	fs.StringVar(&cfg.Push, "push", cfg.Push, "embedded server: web push: on, off, or the `hosts` of the push services to use, e.g. fcm.googleapis.com,*.push.apple.com")
	fs.Var(&option[time.Duration]{&cfg.StopTimeout, duration, "write a duration like 10s or 2m"}, "stop-timeout", "longest `duration` that a stop waits for requests being served")
	fs.Var(&option[bool]{&cfg.Verbose, strconv.ParseBool, "write true or false"}, "verbose", "log every request")
	fs.Var(&option[bool]{&cfg.Replace, strconv.ParseBool, "write true or false"}, "replace", "restore: put the backup in the place of what is in the data directory, which is moved aside")
	const number = "write a whole number like 20"
	fs.Var(&option[int]{&cfg.Users, strconv.Atoi, number}, "users", "seed: `number` of accounts")
	fs.Var(&option[int]{&cfg.Conversations, strconv.Atoi, number}, "conversations", "seed: `number` of conversations of the first account")
	fs.Var(&option[int]{&cfg.Messages, strconv.Atoi, number}, "messages", "seed: `number` of messages in each")
	fs.Usage = func() { fmt.Fprint(stderr, usage); fs.PrintDefaults() }
	var bad error
	fs.VisitAll(func(f *flag.Flag) {
		name := "STARLING_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := getenv(name); v != "" {
			if err := fs.Set(f.Name, v); err != nil && bad == nil {
				bad = fmt.Errorf("%s=%q: %w", name, v, err)
			}
		}
	})
	if bad == nil {
		if err := fs.Parse(args); err != nil {
			return cfg, err // said by the flag package
		}
		for fs.NArg() > 0 && len(operands) > 0 {
			*operands[0], operands = fs.Arg(0), operands[1:]
			if err := fs.Parse(fs.Args()[1:]); err != nil {
				return cfg, err
			}
		}
		switch {
		case fs.NArg() > 0:
			bad = fmt.Errorf("unexpected argument %q", fs.Arg(0))
		case len(operands) > 0:
			bad = errors.New("name the backup's file, like starling-2026-01-31.tar")
		}
	}
	if bad != nil {
		fmt.Fprintf(stderr, "starling: %v\n", bad)
	}
	return cfg, bad
}

// option is a flag that says what to write where a value is wrong.
type option[T any] struct {
	value *T
	read  func(string) (T, error)
	wants string
}

func (o *option[T]) Set(text string) error {
	v, err := o.read(text)
	if err != nil {
		return errors.New(o.wants)
	}
	*o.value = v
	return nil
}

func (o *option[T]) String() string {
	var v T
	if o.value != nil { // the flag package asks an empty one, to know which values are no defaults worth telling
		v = *o.value
	}
	return fmt.Sprint(v)
}

// IsBoolFlag tells the flag package whether the flag can stand alone.
func (o *option[T]) IsBoolFlag() bool {
	_, is := any(o.value).(*bool)
	return is
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return d, err
}

func fileSize(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (n < 1<<10 || n > 1<<30) {
		err = errors.New("out of range")
	}
	return n, err
}

func roomSize(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n < 1<<10 {
		err = errors.New("out of range")
	}
	return n, err
}

func defaultData(getenv func(string) string) string {
	if dir := getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "starling")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "starling")
	}
	return "starling-data"
}

func serve(ctx context.Context, cfg Config, demo bool, stdout, stderr io.Writer) (err error) {
	level := slog.LevelInfo
	if cfg.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	scheme, err := ozeki.SchemeByName(cfg.Scheme)
	if err != nil {
		return usageError{err}
	}
	options := siteOptions{Scheme: scheme.Name(), Log: log}
	if cfg.Upstream != "" {
		if demo {
			return usageError{errors.New("demo needs the embedded server: leave --upstream out")}
		}
		if options.Relay, err = relay.New(cfg.Upstream, cfg.UpstreamListener, apiPath, listenerPath, log); err != nil {
			return usageError{err}
		}
	} else {
		st, closeStore, err := openStore(ctx, cfg)
		if err != nil {
			return err
		}
		defer closeStore()
		if demo {
			info, err := chatserver.SeedDemo(ctx, st, scheme, time.Now())
			if err != nil {
				return fmt.Errorf("seed the demo: %w", err)
			}
			fmt.Fprintf(stdout, "Sign in as %s or %s with the password %s\n", info.Emails[0], info.Emails[1], info.Password)
		}
		kept, err := files.OpenDir(data.Files(cfg.Data))
		if err != nil {
			return err
		}
		sender, hosts, err := pushOf(ctx, cfg, st)
		if err != nil {
			return err
		}
		chat, closeAPI := newChatServer(chatserver.Config{
			Store: st, Files: kept, MaxFile: cfg.MaxFile, MaxFilesPerUser: cfg.MaxFilesPerUser, Push: sender, PushHosts: hosts,
			Scheme: scheme, Log: log,
		})
		defer closeAPI()
		options.API, options.Listener, options.Files = chat, chat.Listener, chat.Files()
	}
	site, err := newSite(options)
	if err != nil {
		return err
	}
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		zstd = "" // not installed
	}
	updating, stopUpdates := context.WithCancel(ctx)
	updated := make(chan struct{})
	go func() {
		defer close(updated)
		site.keepUpdates(updating, filepath.Join(cfg.Data, "programs"), zstd)
	}()
	defer func() { stopUpdates(); <-updated }()
	return listenAndServe(ctx, cfg, site, log, stderr)
}

func openStore(ctx context.Context, cfg Config) (store.Store, func(), error) {
	release, err := data.Use(cfg.Data)
	if err != nil {
		return nil, nil, err
	}
	st, err := store.OpenSQLite(ctx, data.Database(cfg.Data))
	if err != nil {
		release()
		return nil, nil, err
	}
	return st, func() { st.Close(); release() }, nil
}

// pushOf is what --push chooses: the sender of web push messages, nil for none, and the hosts that it may use, none for all.
func pushOf(ctx context.Context, cfg Config, st store.Store) (*push.Client, []string, error) {
	if cfg.Push == "off" {
		return nil, nil, nil
	}
	var hosts []string
	if cfg.Push != "on" {
		hosts = strings.Split(cfg.Push, ",")
		for _, host := range hosts {
			if name := strings.TrimPrefix(host, "*."); !strings.Contains(name, ".") || strings.ContainsAny(name, "*/: ") {
				return nil, nil, usageError{fmt.Errorf("--push: %q is no host name: write on, off, or hosts like fcm.googleapis.com,*.push.apple.com", host)}
			}
		}
	}
	key, err := chatserver.PushKey(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	return &push.Client{Key: key, HTTP: push.NewHTTPClient(), Now: time.Now}, hosts, nil
}

func seed(ctx context.Context, cfg Config, stdout io.Writer) error {
	scheme, err := ozeki.SchemeByName(cfg.Scheme)
	if err != nil {
		return usageError{err}
	}
	st, closeStore, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer closeStore()
	return chatserver.Seed(ctx, st, scheme, chatserver.SeedOptions{
		Users: cfg.Users, Conversations: cfg.Conversations, Messages: cfg.Messages, Now: time.Now(),
		Progress: func(s string) { fmt.Fprintln(stdout, s) },
	})
}

func backup(ctx context.Context, cfg Config, file string, stdout, stderr io.Writer) error {
	sum, err := data.Backup(ctx, cfg.Data, file)
	if err != nil {
		return err
	}
	for _, id := range sum.Missing {
		fmt.Fprintf(stderr, "starling: warning: the file %s was not there any more: people cannot open it\n", id)
	}
	fmt.Fprintf(stdout, "%s has the database and %d files, %d bytes\n", file, sum.Files, sum.Bytes)
	return nil
}

func restore(ctx context.Context, cfg Config, file string, stdout, stderr io.Writer) error {
	sum, err := data.Restore(ctx, file, cfg.Data, cfg.Replace)
	if err != nil {
		return err
	}
	for _, id := range sum.Missing {
		fmt.Fprintf(stderr, "starling: warning: the backup was made without the file %s: people cannot open it\n", id)
	}
	fmt.Fprintf(stdout, "%s has the database and %d files of %s\n", cfg.Data, sum.Files, sum.Made.Local().Format(time.DateTime))
	if sum.Replaced != "" {
		fmt.Fprintf(stdout, "What was there before is in %s\n", sum.Replaced)
	}
	return nil
}
