// Package remote takes files from other machines: from folders of SFTP servers, from buckets of object stores,
// from mails. It looks what lies there, fetches what is new and whole, hands it over as a dropped file, and then
// writes results back and tidies up as the rule says. What differs between the machines is behind Place.
//
// A file is known by its path and version. It is noted in the journal once its content is accepted there: whatever
// moment a process is killed at, what it had not noted is fetched once more and known again by its content.
package remote
