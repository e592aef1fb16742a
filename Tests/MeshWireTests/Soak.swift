import Glibc

/// How many times longer randomised suites run: ten times under `make soak`.
let soakFactor = getenv("ATTNMESH_SOAK") == nil ? 1 : 10
