//go:build !windows

package main

import (
	"context"
	"os"
)

func installService(*windowsService) (string, error) { return "", errNoServices }
func startService(*windowsService) (string, error)   { return "", errNoServices }
func stopService(*windowsService) (string, error)    { return "", errNoServices }
func removeService(*windowsService) (string, error)  { return "", errNoServices }

// asService runs under the service manager of Windows where that has started us: nowhere here.
func asService(ctx context.Context, _ chan<- os.Signal, run func(context.Context) error) error {
	return run(ctx)
}
