// Package vaulttest holds the suite of engine.Vault, which runs natively and in the browser, so that what a device keeps
// behaves alike in both.
package vaulttest
