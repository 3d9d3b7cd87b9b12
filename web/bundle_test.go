package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

var loaded = map[PageConfig]Bundle{} // preparing one takes a second

// load gives the bundle for a configuration.
func load(t *testing.T, cfg PageConfig) Bundle {
	t.Helper()
	if loaded[cfg] == nil {
		loaded[cfg] = loadAnew(t, cfg)
	}
	return loaded[cfg]
}

func loadAnew(t *testing.T, cfg PageConfig) Bundle {
	t.Helper()
	b, err := Load(cfg)
	if errors.Is(err, ErrNoProgram) {
		t.Fatal("The browser program is not built: run 'go run ./wasm/build' in the top directory, or 'make build'.")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var usual = PageConfig{API: "/ozeki/index.php", Scheme: "sha256"}

var upstream = PageConfig{API: "/ozeki/index.php", Listener: "/ozeki/listener", Scheme: "sha1", Upstream: true}

func text(t *testing.T, b Bundle, url string) string {
	t.Helper()
	if b[url] == nil {
		t.Fatalf("nothing at %s", url)
	}
	return string(b[url].Forms[""])
}

func unpack(t *testing.T, coding string, packed []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch coding {
	case "br":
		r = brotli.NewReader(bytes.NewReader(packed))
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(packed))
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(packed)); err == nil {
			defer z.Close()
			r = z
		}
	default:
		t.Fatalf("coding %q", coding)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", coding, err)
	}
	return plain
}

func TestAFileThatChangesGetsAnotherAddress(t *testing.T) {
	b := load(t, usual)
	name := regexp.MustCompile(`^/assets/[a-z0-9_-]+\.([0-9a-f]{12})\.[a-z]+$`)
	assets := 0
	for url, f := range b {
		sum := sha256.Sum256(f.Forms[""])
		if f.ETag != `"`+hex.EncodeToString(sum[:12])+`"` {
			t.Errorf("%s has the ETag %s", url, f.ETag)
		}
		if f.Type == "" {
			t.Errorf("%s has no type", url)
		}
		m := name.FindStringSubmatch(url)
		if f.Immutable != (m != nil) {
			t.Errorf("%s: immutable is %v", url, f.Immutable)
		}
		if m == nil {
			continue
		}
		assets++
		if m[1] != hex.EncodeToString(sum[:6]) {
			t.Errorf("%s is not named after its content", url)
		}
	}
	if assets < 8 {
		t.Errorf("only %d assets", assets)
	}
	again := loadAnew(t, usual)
	for url, f := range b {
		if again[url] == nil || !bytes.Equal(again[url].Forms[""], f.Forms[""]) {
			t.Errorf("the same files give something else at %s", url)
		}
	}
	for url := range load(t, upstream) {
		if b[url] == nil {
			t.Errorf("with other settings there is also %s", url)
		}
	}
}

func TestTheCompressedFormsAreTheFileAndSmaller(t *testing.T) {
	wasm := 0
	for url, f := range load(t, usual) {
		for coding, packed := range f.Forms {
			if coding == "" {
				continue
			}
			if len(packed) >= len(f.Forms[""]) {
				t.Errorf("%s is not smaller as %s", url, coding)
			}
			if !bytes.Equal(unpack(t, coding, packed), f.Forms[""]) {
				t.Errorf("%s is something else as %s", url, coding)
			}
		}
		if strings.HasSuffix(url, ".wasm") {
			wasm++
			if len(f.Forms[""]) < 1_000_000 {
				t.Errorf("%s has %d bytes: the program was not split, see wasm/build", url, len(f.Forms[""]))
			}
			if f.Type != "application/wasm" || len(f.Forms) != 4 || !bytes.HasPrefix(f.Forms[""], []byte("\x00asm")) {
				t.Errorf("the program is %s in %d forms", f.Type, len(f.Forms))
			}
		}
	}
	if wasm != len(Parts) {
		t.Errorf("%d parts of the program", wasm)
	}
}

func TestThePolicyAllowsWhatStandsInThePageAndNothingElse(t *testing.T) {
	for _, cfg := range []PageConfig{usual, upstream} {
		b := load(t, cfg)
		page := text(t, b, "/")
		policy := b["/"].Header["Content-Security-Policy"]
		scripts := regexp.MustCompile(`(?is)<script([^>]*)>(.*?)</script>`).FindAllStringSubmatch(page, -1)
		var hashes []string
		for _, m := range scripts {
			switch {
			case strings.Contains(m[1], "src="), strings.Contains(m[1], `type="application/json"`):
			default:
				sum := sha256.Sum256([]byte(m[2]))
				hashes = append(hashes, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
			}
		}
		if len(hashes) != 4 {
			t.Errorf("%d inline scripts, want four: the program's fetching, first.js, the place of the last sidebar, and boot.js", len(hashes))
		}
		if want := "script-src 'self' 'wasm-unsafe-eval' " + strings.Join(hashes, " ") + ";"; !strings.Contains(policy, want) {
			t.Errorf("the policy is %q, want %q in it", policy, want)
		}
		style := regexp.MustCompile(`(?is)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
		if len(style) != 1 || strings.Contains(page, "rel=\"stylesheet\"") {
			t.Fatalf("%d styles in the page, want them all in one", len(style))
		}
		sum := sha256.Sum256([]byte(style[0][1]))
		styles := "style-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		for _, want := range []string{"default-src 'none'", styles, "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("the policy has no %q", want)
			}
		}
		for _, never := range []string{"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"} {
			if strings.Contains(policy, never) {
				t.Errorf("the policy has %s", never)
			}
		}
		if m := regexp.MustCompile(`(?i)<[^>]+\s(on[a-z]+|style)\s*=`).FindString(page); m != "" {
			t.Errorf("the policy forbids %q in the page", m)
		}
		if br := len(b["/"].Forms["br"]); br > 14_000 {
			t.Errorf("the page has %d bytes: a server's first answer on a new connection holds about 14,000", br)
		}
	}
}

func TestEverythingThatThePageNamesIsThere(t *testing.T) {
	for _, cfg := range []PageConfig{usual, upstream} {
		b := load(t, cfg)
		var named []string
		for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"|let u="([^"]*)"`).FindAllStringSubmatch(text(t, b, "/"), -1) {
			named = append(named, m[1]+m[2])
		}
		var manifest struct {
			Name     string
			StartURL string `json:"start_url"`
			ID       string
			Icons    []struct{ Src, Type, Purpose string }
		}
		if err := json.Unmarshal(b["/app.webmanifest"].Forms[""], &manifest); err != nil {
			t.Fatal(err)
		}
		if manifest.Name != "Starling" || manifest.ID == "" || manifest.StartURL != "/" || !slices.ContainsFunc(manifest.Icons, func(i struct{ Src, Type, Purpose string }) bool { return i.Purpose == "maskable" }) {
			t.Errorf("the manifest is %+v", manifest)
		}
		for _, i := range manifest.Icons {
			named = append(named, i.Src)
			if f := b[i.Src]; f != nil && f.Type != i.Type {
				t.Errorf("the icon %s is of type %s, the manifest says %s", i.Src, f.Type, i.Type)
			}
		}
		for _, m := range regexp.MustCompile(`url\(\s*['"]?([^'")]+)`).FindAllStringSubmatch(text(t, b, "/"), -1) {
			if !strings.HasPrefix(m[1], "data:") {
				named = append(named, m[1])
			}
		}
		worker := text(t, b, "/sw.js")
		m := regexp.MustCompile(`const FILES = \["/", "/app.webmanifest", \.\.\.(\[.*?\])\]`).FindStringSubmatch(worker)
		var files []string
		if m == nil || json.Unmarshal([]byte(m[1]), &files) != nil {
			t.Fatal("the worker has no list of files")
		}
		for url, f := range b {
			screenshot := strings.HasSuffix(url, ".webp") // only who looks at the manifest wants it
			if f.Immutable && slices.Contains(files, url) == screenshot {
				t.Errorf("whether the worker keeps %s is %t", url, screenshot)
			}
		}
		if len(named) < 8 {
			t.Errorf("only %d files are named: %v", len(named), named)
		}
		for _, url := range append(named, files...) {
			if b[url] == nil {
				t.Errorf("there is no %q", url)
			}
		}
	}
}

func TestNoMarkOfATemplateIsLeft(t *testing.T) {
	for _, cfg := range []PageConfig{usual, upstream} {
		b := load(t, cfg)
		for _, url := range []string{"/", "/sw.js", "/app.webmanifest"} {
			if page := text(t, b, url); strings.Contains(page, "[[") || url == "/" && strings.Contains(page, "]]") || strings.Contains(page, "<no value>") {
				t.Errorf("%s has marks of a template", url)
			}
		}
	}
}

func TestThePageTellsTheProgramItsSettings(t *testing.T) {
	evil := usual
	evil.Version = `</script><script>alert(1)</script>`
	for _, cfg := range []PageConfig{usual, upstream, evil} {
		page := text(t, load(t, cfg), "/")
		m := regexp.MustCompile(`(?s)<script type="application/json" id="config">(.*?)</script>`).FindStringSubmatch(page)
		var got PageConfig
		if m == nil || json.Unmarshal([]byte(m[1]), &got) != nil {
			t.Fatalf("the page has no settings: %q", m)
		}
		want := cfg
		if want.Version == "" {
			want.Version = got.Version
		}
		if got != want || got.Version == "" {
			t.Errorf("the settings are %+v, want %+v", got, want)
		}
		if strings.Contains(page, "<script>alert") {
			t.Error("a setting became a script")
		}
		for _, field := range []string{`id="apikey"`, `id="encryption"`} {
			if strings.Contains(page, field) != cfg.Upstream {
				t.Errorf("upstream %v: %s", cfg.Upstream, field)
			}
		}
		for _, field := range []string{`id="email"`, `id="password"`, `id="create-form"`} {
			if strings.Contains(page, field) == cfg.Upstream {
				t.Errorf("upstream %v: %s", cfg.Upstream, field)
			}
		}
	}
}

func TestAnythingNewIsANewVersion(t *testing.T) {
	version := func(cfg PageConfig) string {
		m := regexp.MustCompile(`const CACHE = "starling-([0-9a-f]{12})"`).FindStringSubmatch(text(t, load(t, cfg), "/sw.js"))
		if m == nil {
			t.Fatal("the worker has no version")
		}
		return m[1]
	}
	seen := map[string]PageConfig{}
	api, listener, scheme, up := usual, usual, usual, usual
	api.API, listener.Listener, scheme.Scheme, up.Upstream = "/other", "/listener", "sha512", true
	for _, cfg := range []PageConfig{usual, api, listener, scheme, up} {
		v := version(cfg)
		if was, ok := seen[v]; ok {
			t.Errorf("%+v and %+v are the same version: a browser would keep the old page", was, cfg)
		}
		seen[v] = cfg
	}
}
