package queue

// InMemory counts the records of the journal that are in memory.
func (q *Queue) InMemory() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.fetched.records)
}

// AwaitsFile tells whether a record for the server waits for a file to be read.
func (q *Queue) AwaitsFile(server string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.barrier.awaited(server)
}

// RowWaits tells whether a row of a file waits behind the work of its key that is in flight.
func (q *Queue) RowWaits(key string) bool { return q.nextInKey(key) }
