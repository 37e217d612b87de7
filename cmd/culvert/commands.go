package main

import "github.com/spf13/cobra"

// commands lists every command, in the order that help shows them: the way of a project from beginning to running.
func (a *app) commands() []func() *cobra.Command {
	return []func() *cobra.Command{
		a.initCommand, a.syncCommand, a.notifyCommand, a.metadataCommand, a.newCommand, a.sampleCommand, a.validateCommand, a.explainCommand,
		a.schemaCommand, a.fmtCommand,
		a.lspCommand, a.studioCommand, a.convertCommand, a.manCommand,
		a.tryCommand, a.testCommand, a.planCommand, a.runCommand, a.serviceCommand, a.importCommand,
		a.statusCommand, a.healthCommand, a.doctorCommand, a.failuresCommand, a.showCommand, a.replayCommand,
		a.dismissCommand, a.pauseCommand, a.resumeCommand,
		a.idsCommand, a.userCommand, a.auditCommand, a.forgetCommand, a.backupCommand, a.restoreCommand,
		a.migrateStoreCommand, a.rekeyCommand,
		a.sandboxCommand, a.demoCommand, a.scaleCommand, a.versionCommand,
	}
}
