package badger

// DiskSize returns the bytes of the sorted tables and of the log of long values,
// as Badger last counted them: once a minute. A store in memory takes none.
func (s *Store) DiskSize() (lsm, valueLog int64) { return s.db().Size() }
