package linker

// Alarm sets how far a case may reach, how many links a tenant may make on a day, and
// with how many groups a case may be linked, before links are held.
func (l *Linker) Alarm(tenants, links, groups uint32) *Linker {
	l.bounds = bounds{tenants, links, groups}
	return l
}

// GiveBack does what follows a long rest after so much work.
func (l *Linker) GiveBack(worked int) {
	l.calm, l.worked = 1, l.worked+worked
	l.giveBack()
}

// RegroupFrom sets how many entries have to be listed for a look at all cases.
func (l *Linker) RegroupFrom(entries int) *Linker {
	l.regroupFrom = entries
	return l
}
