package linker

// Alarm sets how far a case may reach, and how many links a tenant may make on a day,
// before links are held.
func (l *Linker) Alarm(tenants, links uint32) *Linker {
	l.bounds = bounds{tenants, links}
	return l
}
