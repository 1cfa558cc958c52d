//! The wall clock stepped by an hour, behind the seam where its stamps come in: no name space covers
//! CLOCK_REALTIME, and stepping the machine's own would reach everybody on it.
