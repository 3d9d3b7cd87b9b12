package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Makes the manifest's screenshots in the directory $SCREENS (make screens).
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENS")
	if dir == "" {
		t.Skip("made by make screens")
	}
	p := newPerson(t, startDemo(t).URL)
	p.Visit("/")
	p.SignIn(alice, demoPassword)
	p.OpenConversation("Bob Baker")
	p.eventually("the messages are there", func() error { return p.holds(`document.querySelectorAll("article").length > 0`) })
	for name, size := range map[string][2]int64{"screen-wide.webp": {1280, 800}, "screen-narrow.webp": {360, 740}} {
		var shot []byte
		p.run(emulation.SetDeviceMetricsOverride(size[0], size[1], 1, false))
		p.eventually("it is drawn", func() error {
			return p.holds(`new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true))))`)
		})
		p.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
			shot, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatWebp).WithQuality(80).Do(ctx)
			return err
		}))
		if err := os.WriteFile(filepath.Join(dir, name), shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
