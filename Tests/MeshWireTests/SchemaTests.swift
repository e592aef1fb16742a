import ElementTypes
import Glibc
import MeshCore
import MeshWire
import Testing

extension WireTests {
  /// The schema is the reference of the protocol, and numbers of enums pass through it unseen.
  @Suite struct SchemaTests {
    private let schema: String

    init() throws {
      let path = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
      let file = try #require(fopen(path + "/Protos/mesh.proto", "r"))
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      let count = fread(&bytes, 1, bytes.count, file)
      schema = String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func check(_ name: String, _ number: UInt8) {
      #expect(schema.contains(" \(name) = \(number);"))
    }

    @Test("every number of an enum stands in the schema under its name")
    func enums() {
      func constant(_ name: String) -> String {
        // "store-alarm" and "storeAlarm" are both STORE_ALARM.
        name.map { $0 == "-" ? "_" : $0.isUppercase ? "_\($0)" : $0.uppercased() }.joined()
      }
      for kind in Observation.Kind.allCases {
        check("EVENT_KIND_\(constant(kind.name))", kind.rawValue)
      }
      for state in JobState.allCases { check("JOB_STATE_\(constant(state.name))", state.rawValue) }
      for layout in Layout.allCases { check("LAYOUT_\(constant(layout.name))", layout.rawValue) }
      for strategy in Strategy.allCases {
        check("STRATEGY_\(constant(strategy.name))", strategy.rawValue)
      }
      for type in ElementType.allCases {
        check("ELEMENT_TYPE_\(constant(type.name))", type.rawValue)
      }
      for role in Role.allCases { check("ROLE_\(constant("\(role)"))", role.rawValue) }
      for tensor in InputTensor.allCases {
        check("INPUT_TENSOR_\(constant("\(tensor)"))", tensor.rawValue)
      }
      for tier in RestoreTier.allCases {
        check("RESTORE_TIER_\(constant("\(tier)"))", tier.rawValue)
      }
      for duty in Assignment.Duty.allCases { check("DUTY_\(constant("\(duty)"))", duty.rawValue) }
      for protection in Protection.allCases {
        check("PROTECTION_\(constant("\(protection)"))", protection.rawValue)
      }
      for state in ResultStatus.State.allCases {
        check("RESULT_STATE_\(constant(state.name))", state.rawValue)
      }
      for standing in WorkerStanding.allCases {
        check("WORKER_STANDING_\(constant("\(standing)"))", standing.rawValue)
      }
      for answer in PullAnswer.allCases { check("KIND_\(constant("\(answer)"))", answer.rawValue) }
    }

    @Test("every method is an rpc of its service")
    func methods() throws {
      for method in Method.allCases {
        let rpc = try #require(method.name.split(separator: ".").last)
        #expect(schema.contains("  rpc \(rpc)("))
        #expect(schema.contains("  // Method \(method.rawValue)."))
      }
    }
  }
}
