// Package web holds the page around the program: markup, styles, scripts, icons and, once it is built, the program. Load
// prepares them for serving: names with a hash of the content, compressed forms, and the page's Content-Security-Policy.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"
	"text/template"

	"github.com/andybalholm/brotli"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/klauspost/compress/zstd"
)

//go:embed *.html *.js *.css *.svg *.png *.webp *.webmanifest all:wasm
var embedded embed.FS

// Parts are the files of the browser program in the order in which it needs them, see wasm/build.
var Parts = []string{"app.wasm", "rest.wasm"}

// ErrNoProgram says that the browser program was not built into the binary.
var ErrNoProgram = errors.New("the browser program is missing from this binary: build it with 'make build'")

// PageConfig is what the page tells the program at start-up.
type PageConfig struct {
	API      string `json:"api"`      // path of the API on the page's origin
	Listener string `json:"listener"` // path of the notification socket, empty for none
	Scheme   string `json:"scheme"`   // name for ozeki.SchemeByName
	Upstream bool   `json:"upstream"` // in front of an Ozeki server: sign in by api key, no accounts here
	Version  string `json:"version"`
	Salt     string `json:"salt,omitempty"`   // of the derivation of credentials, before the e-mail address
	Rounds   int    `json:"rounds,omitempty"` // of it
}

// File is one file ready to be served.
type File struct {
	Type      string            // Content-Type
	Immutable bool              // its name holds its hash: it never changes
	ETag      string            // quoted
	Forms     map[string][]byte // content coding ("", "gzip", "br", "zstd") → bytes; "" is always there
	Header    map[string]string // more headers
}

// Bundle is everything the browser gets, by URL path. The page itself is at "/".
type Bundle map[string]*File

var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".webmanifest": "application/manifest+json", ".wasm": programType,
}

// programType is the Content-Type of the program alone.
const programType = "application/wasm"

// addresses are those of a part of the browser program in all its versions, as a pattern.
func addresses(part string) string {
	return "/assets/" + strings.TrimSuffix(part, ".wasm") + ".*.wasm"
}

// Part is a part of the browser program among the files, by its name in Parts.
func (b Bundle) Part(name string) *File {
	for url, f := range b {
		if ok, err := path.Match(addresses(name), url); ok && err == nil {
			return f
		}
	}
	return nil // Load does not make such a bundle
}

// The page's inline scripts and styles, which the policy allows by their hashes.
var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	inlineStyle  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
)

// inlined are the files that stand in the page itself, so that the sign-in form needs one answer of the server.
var inlined = []string{"first.js", "parts.js", "boot.js", "styles.css"}

// Load prepares the embedded files. ErrNoProgram if the program was not built.
func Load(cfg PageConfig) (Bundle, error) {
	b := Bundle{}
	hashed := map[string]string{} // file name → URL path
	add := func(name string, f *File) {
		ext := path.Ext(name)
		sum := sha256.Sum256(f.Forms[""])
		f.Type, f.Immutable = types[ext], true
		f.ETag = `"` + hex.EncodeToString(sum[:12]) + `"`
		url := "/assets/" + strings.TrimSuffix(path.Base(name), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		hashed[path.Base(name)] = url
		b[url] = f
	}
	for _, name := range Parts {
		part, err := loadCompressed("wasm/" + name)
		if err != nil {
			return nil, err
		}
		// Later versions of it may be sent as a difference.
		part.Header = map[string]string{"Use-As-Dictionary": `match="` + addresses(name) + `"`}
		add(name, part)
	}
	names, err := fs.Glob(embedded, "*.*")
	if err != nil {
		return nil, err
	}
	names = append(names, "wasm/wasm_exec.js")
	templates := map[string]bool{"index.html": true, "sw.js": true, "app.webmanifest": true}
	for _, name := range names {
		if templates[name] || slices.Contains(inlined, name) {
			continue
		}
		content, err := embedded.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoProgram
		} else if err != nil {
			return nil, err
		}
		f, err := compress(name, content)
		if err != nil {
			return nil, err
		}
		if policy, ok := workerPolicies[name]; ok {
			f.Header = map[string]string{"Content-Security-Policy": policy}
		}
		add(name, f)
	}

	parts := map[string]string{} // what stands in the page, by file name
	for _, name := range inlined {
		if parts[name], err = minified(name); err != nil {
			return nil, err
		}
	}

	// The version is the hash of all that the browser gets: it changes when any of it does, or the worker would keep an old page.
	urls := make([]string, 0, len(hashed))
	for _, u := range hashed {
		urls = append(urls, u)
	}
	sort.Strings(urls)
	if cfg.Version == "" {
		all := sha256.New()
		fmt.Fprintf(all, "%q %+v", urls, cfg)
		for _, name := range []string{"app.webmanifest", "index.html", "sw.js"} {
			content, err := embedded.ReadFile(name)
			if err != nil {
				return nil, err
			}
			all.Write(content)
		}
		for _, name := range inlined {
			all.Write([]byte(parts[name]))
		}
		cfg.Version = hex.EncodeToString(all.Sum(nil)[:6])
	}
	// The screenshots are for who looks at the manifest before installing: the worker does not keep them.
	urls = slices.DeleteFunc(urls, func(url string) bool { return path.Ext(url) == ".webp" })
	config, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"Config": string(config), "Upstream": cfg.Upstream, "Version": cfg.Version, "Assets": urls}
	for url, name := range map[string]string{"/app.webmanifest": "app.webmanifest", "/sw.js": "sw.js", "/": "index.html"} {
		content, err := render(name, data, hashed, parts)
		if err != nil {
			return nil, err
		}
		f, err := compress(name, content)
		if err != nil {
			return nil, err
		}
		fileSum := sha256.Sum256(content)
		f.Type, f.ETag = types[path.Ext(name)], `"`+hex.EncodeToString(fileSum[:12])+`"`
		if name == "index.html" {
			f.Header = map[string]string{"Content-Security-Policy": policy(content)}
		}
		b[url] = f
	}
	return b, nil
}

func render(name string, data any, hashed, parts map[string]string) ([]byte, error) {
	content, err := embedded.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Delims("[[", "]]").Funcs(template.FuncMap{
		"asset": func(name string) (string, error) {
			if url := hashed[name]; url != "" {
				return url, nil
			}
			return "", fmt.Errorf("no file %q in web/", name)
		},
		"inline": func(name string) (string, error) {
			if part, ok := parts[name]; ok {
				return part, nil
			}
			b, err := embedded.ReadFile(name)
			return string(b), err
		},
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
	}).Parse(string(content))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, data)
	return out.Bytes(), err
}

// minified gives a script or style without what only readers of its source need.
func minified(name string) (string, error) {
	content, err := embedded.ReadFile(name)
	if err != nil {
		return "", err
	}
	r := api.Transform(string(content), api.TransformOptions{
		Loader: map[string]api.Loader{".js": api.LoaderJS, ".css": api.LoaderCSS}[path.Ext(name)], Sourcefile: name,
		Target: api.ESNext, MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
	})
	for _, m := range r.Errors {
		return "", fmt.Errorf("%s:%d: %s", name, m.Location.Line, m.Text)
	}
	return strings.TrimSpace(string(r.Code)), nil
}

// workerPolicies are the policies of the page's workers, which have their own: one loads nothing, the other the program.
var workerPolicies = map[string]string{
	"keys.js":  "default-src 'none'",
	"ahead.js": "default-src 'none'; connect-src 'self'; script-src 'wasm-unsafe-eval'",
}

// policy is the page's Content-Security-Policy: nothing but this origin's files, the page's own scripts and styles by their
// hashes, and no string may become script (Trusted Types; the first script's policy names the three workers and nothing else).
func policy(page []byte) string {
	hashes := func(of *regexp.Regexp) (list string) {
		for _, m := range of.FindAllSubmatch(page, -1) {
			sum := sha256.Sum256(m[1])
			list += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		return list
	}
	script, style := "script-src 'self' 'wasm-unsafe-eval'"+hashes(inlineScript), "style-src 'self'"+hashes(inlineStyle)
	return strings.Join([]string{
		"default-src 'none'", script, style, "img-src 'self' data: blob:", "connect-src 'self'", "font-src 'self'",
		"manifest-src 'self'", "worker-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
		"require-trusted-types-for 'script'", "trusted-types starling-workers",
	}, "; ")
}

// compress makes the compressed forms of a small file, those that are smaller.
func compress(name string, content []byte) (*File, error) {
	f := &File{Forms: map[string][]byte{"": content}}
	if ext := path.Ext(name); ext == ".png" || ext == ".webp" {
		return f, nil
	}
	for coding, pack := range Best {
		packed, err := pack(content)
		if err != nil {
			return nil, fmt.Errorf("compress %s: %w", name, err)
		}
		if len(packed) < len(content) {
			f.Forms[coding] = packed
		}
	}
	return f, nil
}

// loadCompressed reads the forms that the build made, since the highest compression takes its time. The plain form is
// made from them, so that the binary need not hold it.
func loadCompressed(name string) (*File, error) {
	f := &File{Forms: map[string][]byte{}}
	for coding, ext := range Extensions {
		packed, err := embedded.ReadFile(name + ext)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoProgram
		} else if err != nil {
			return nil, err
		}
		f.Forms[coding] = packed
	}
	r, err := gzip.NewReader(bytes.NewReader(f.Forms["gzip"]))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.Forms[""] = plain.Bytes()
	return f, nil
}

// Extensions are the file name endings of the compressed forms, by content coding.
var Extensions = map[string]string{"br": ".br", "zstd": ".zst", "gzip": ".gz"}

// Best compresses as well as it can, by content coding (RFC 9110, RFC 7932, RFC 8878).
var Best = codings(brotli.BestCompression, zstd.SpeedBestCompression, gzip.BestCompression)

// Quick compresses little, in a fraction of the time.
var Quick = codings(brotli.BestSpeed, zstd.SpeedFastest, gzip.BestSpeed)

func codings(br int, zs zstd.EncoderLevel, gz int) map[string]func([]byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"br": func(b []byte) ([]byte, error) {
			var out bytes.Buffer
			w := brotli.NewWriterLevel(&out, br)
			if _, err := w.Write(b); err != nil {
				return nil, err
			}
			err := w.Close()
			return out.Bytes(), err
		},
		"zstd": func(b []byte) ([]byte, error) {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zs))
			if err != nil {
				return nil, err
			}
			defer w.Close()
			return w.EncodeAll(b, nil), nil
		},
		"gzip": func(b []byte) ([]byte, error) {
			var out bytes.Buffer
			w, err := gzip.NewWriterLevel(&out, gz)
			if err != nil {
				return nil, err
			}
			if _, err := w.Write(b); err != nil {
				return nil, err
			}
			err = w.Close()
			return out.Bytes(), err
		},
	}
}
