//go:build !js

package app

func onLaunch(func(launch)) {}
