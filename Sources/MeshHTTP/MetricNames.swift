internal import MeshCore
internal import MeshRuntime

// Label values that stay what they are, whatever is told to people.

extension RestoreTier {
  var metricName: String {
    switch self {
    case .memory: "memory"
    case .slot: "checkpoint"
    case .otherSlot: "older_checkpoint"
    case .recompute: "recomputed"
    }
  }
}

extension Protection {
  var metricName: String {
    switch self {
    case .off: "off"
    case .none: "none"
    case .peerAndDisk: "peer_and_disk"
    case .peerOnly: "peer_only"
    case .diskOnly: "disk_only"
    case .peerDiskFailing: "peer_disk_failing"
    }
  }
}

extension StatusCode {
  /// gRPC's name.
  var metricName: String {
    switch self {
    case .ok: "OK"
    case .cancelled: "CANCELLED"
    case .unknown: "UNKNOWN"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .deadlineExceeded: "DEADLINE_EXCEEDED"
    case .notFound: "NOT_FOUND"
    case .alreadyExists: "ALREADY_EXISTS"
    case .permissionDenied: "PERMISSION_DENIED"
    case .resourceExhausted: "RESOURCE_EXHAUSTED"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .aborted: "ABORTED"
    case .outOfRange: "OUT_OF_RANGE"
    case .unimplemented: "UNIMPLEMENTED"
    case .internal: "INTERNAL"
    case .unavailable: "UNAVAILABLE"
    case .dataLoss: "DATA_LOSS"
    case .unauthenticated: "UNAUTHENTICATED"
    }
  }
}

extension MetricsText {
  /// Whether a process is healthy and ready, as /healthz and /readyz tell it.
  mutating func health(problem: String?, notReady: String?, age: Double) {
    gauge("attnmesh_healthy", "1 while /healthz answers 200.", problem == nil ? 1 : 0)
    gauge("attnmesh_ready", "1 while /readyz answers 200.", notReady == nil ? 1 : 0)
    gauge(
      "attnmesh_report_age_seconds", "Since the loop published what is told here.", age)
  }

  mutating func processMemory() {
    gauge(
      "attnmesh_process_resident_bytes", "Memory of this process that is resident.",
      Double(ProcessMemory.residentBytes))
  }
}
