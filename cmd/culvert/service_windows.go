package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// Times of a service: until it is started again after a failure, and that a stop may take, which
// lets what is under way finish.
const (
	restartAfter = 5 * time.Second
	failuresOver = 24 * time.Hour
	stopLimit    = 90 * time.Second
)

// installService makes the service, gives its account the project's folder, and starts it.
func installService(w *windowsService) (_ string, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the program itself: %w", err)
	}
	m, err := connect()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.CreateService(w.name, program, mgr.Config{
		DisplayName: "Culvert (" + w.name + ")", Description: "Carries field data into DHIS2: " + w.dir,
		StartType: mgr.StartAutomatic, ServiceStartName: `NT SERVICE\` + w.name,
	}, w.args...)
	if errors.Is(err, windows.ERROR_SERVICE_EXISTS) {
		return "", fmt.Errorf("there is a service %s already: culvert service remove, or another --name", w.name)
	}
	if err != nil {
		return "", fmt.Errorf("make the service %s: %w", w.name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := grant(w); err != nil {
		return "", errors.Join(err, s.Delete())
	}
	said := fmt.Sprintf("the service %s is made and started; its log is in the state folder of %s", w.name, w.dir)
	if err := recovers(s); err != nil {
		said += fmt.Sprintf(
			"\nit will not be started again by itself after a failure (%v): set that on its page Recovery",
			err,
		)
	}
	if err := s.Start(); err != nil {
		return "", fmt.Errorf("the service %s is made and does not start: %w", w.name, err)
	}
	return said, nil
}

// recovers has the service started again after every failure, a run that ended by itself included.
func recovers(s *mgr.Service) error {
	again := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: restartAfter}
	if err := s.SetRecoveryActions([]mgr.RecoveryAction{again, again, again}, uint32(failuresOver.Seconds())); err != nil {
		return err
	}
	return s.SetRecoveryActionsOnNonCrashFailures(true)
}

// grant lets the service's account read and write the project. Who else may is the folder's matter.
func grant(w *windowsService) error {
	out, err := exec.Command("icacls", w.dir, "/grant", `NT SERVICE\`+w.name+":(OI)(CI)M", "/Q").CombinedOutput()
	if err != nil {
		return fmt.Errorf("give the service's account the folder %s: %w: %s", w.dir, err, out)
	}
	return nil
}

func startService(w *windowsService) (string, error) {
	return "the service " + w.name + " is started", withService(w, func(s *mgr.Service) error {
		if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
			return fmt.Errorf("start the service %s: %w", w.name, err)
		}
		return nil
	})
}

func stopService(w *windowsService) (string, error) {
	return "the service " + w.name + " has ended", withService(w, func(s *mgr.Service) error { return stopAndWait(w, s) })
}

func removeService(w *windowsService) (string, error) {
	return "the service " + w.name + " is removed; the project and its journal stay",
		withService(w, func(s *mgr.Service) error {
			if err := stopAndWait(w, s); err != nil {
				return err
			}
			if err := s.Delete(); err != nil {
				return fmt.Errorf("remove the service %s: %w", w.name, err)
			}
			return nil
		})
}

func stopAndWait(w *windowsService, s *mgr.Service) error {
	state, err := s.Control(svc.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop the service %s: %w", w.name, err)
	}
	for end := time.Now().Add(stopLimit); state.State != svc.Stopped; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("the service %s has not ended after %s", w.name, stopLimit)
		}
		if state, err = s.Query(); err != nil {
			return fmt.Errorf("stop the service %s: %w", w.name, err)
		}
	}
	return nil
}

func withService(w *windowsService, do func(*mgr.Service) error) (err error) {
	m, err := connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	s, err := m.OpenService(w.name)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return fmt.Errorf("there is no service %s: culvert service install makes it", w.name)
	}
	if err != nil {
		return fmt.Errorf("open the service %s: %w", w.name, err)
	}
	return errors.Join(do(s), s.Close())
}

func connect() (*mgr.Mgr, error) {
	m, err := mgr.Connect()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, errors.New("services are made by administrators: open the prompt with \"Run as administrator\"")
	}
	if err != nil {
		return nil, fmt.Errorf("reach the service manager: %w", err)
	}
	return m, nil
}

// asService runs under the service manager where that has started us, else as it is.
func asService(ctx context.Context, reload chan<- os.Signal, run func(context.Context) error) error {
	inService, err := svc.IsWindowsService()
	if err != nil || !inService {
		return run(ctx)
	}
	h := &handler{ctx: ctx, reload: reload, run: run}
	if err := svc.Run("", h); err != nil {
		return fmt.Errorf("run as a service: %w", err)
	}
	return h.err
}

// handler answers the service manager.
type handler struct {
	ctx    context.Context
	reload chan<- os.Signal
	run    func(context.Context) error
	err    error
}

// Execute implements svc.Handler. A run that ends by itself has failed, which has it started again.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (bool, uint32) {
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown |
		svc.AcceptParamChange}
	states <- running
	for {
		select {
		case h.err = <-ended:
			if h.err != nil || ctx.Err() == nil {
				return true, exitCannot
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				states <- r.CurrentStatus
			case svc.ParamChange:
				select {
				case h.reload <- syscall.SIGHUP:
				default: // it is to be read again already
				}
				states <- running
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				states <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopLimit.Milliseconds())}
				stop()
			}
		}
	}
}
