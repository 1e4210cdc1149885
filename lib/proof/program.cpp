#include "proof/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/error.hpp"
#include "json/pointer.hpp"

namespace capsule::proof {

namespace {

constexpr std::size_t max_depth = 256;

struct OperatorForm {
  std::string_view name;
  Operation operation;
  enum class Operands { one, two, many, one_and_exponent } operands;
};

constexpr std::array operator_forms{
    OperatorForm{"add", Operation::add, OperatorForm::Operands::many},
    OperatorForm{"sub", Operation::sub, OperatorForm::Operands::two},
    OperatorForm{"mul", Operation::mul, OperatorForm::Operands::many},
    OperatorForm{"div", Operation::div, OperatorForm::Operands::two},
    OperatorForm{"neg", Operation::neg, OperatorForm::Operands::one},
    OperatorForm{"abs", Operation::abs, OperatorForm::Operands::one},
    OperatorForm{"min", Operation::min, OperatorForm::Operands::many},
    OperatorForm{"max", Operation::max, OperatorForm::Operands::many},
    OperatorForm{"sqrt", Operation::sqrt, OperatorForm::Operands::one},
    OperatorForm{"square", Operation::square, OperatorForm::Operands::one},
    OperatorForm{"pow", Operation::pow, OperatorForm::Operands::one_and_exponent},
    OperatorForm{"exp", Operation::exp, OperatorForm::Operands::one},
    OperatorForm{"log", Operation::log, OperatorForm::Operands::one},
};

/// What names stand for at one place. In a compare claim no variable has a slot, except below `at`.
struct Scope {
  std::vector<std::optional<std::uint32_t>> variables;
  std::map<std::string, std::uint32_t, std::less<>> done;  ///< definitions that have their slot
  std::vector<std::string_view> open;                      ///< definitions that are being compiled
};

class Compiler {
 public:
  Compiler(const Claim& claim, const Claims& claims, const json::Value* record)
      : m_claim(claim), m_claims(claims), m_record(record) {}

  Program run() {
    Scope scope;
    scope.variables.resize(m_claims.variables.size());
    if (m_claim.type == ClaimType::forall) {
      for (std::uint32_t rank = 0; rank < scope.variables.size(); ++rank) {
        scope.variables[rank] = emit({.operation = Operation::variable, .a = rank}, "/variables");
      }
    }
    m_program.left = expression(m_claim.left, scope, "/left", 0);
    m_program.right = expression(m_claim.right, scope, "/right", 0);
    return std::move(m_program);
  }

 private:
  [[noreturn]] void fail(std::string_view reason, std::string_view place) const {
    throw Error{ErrorKind::invalid_input,
                fmt::format("claim '{}': {} (at {})", m_claim.name, reason, printable(place))};
  }

  std::uint32_t emit(const Instruction& instruction, std::string_view place) {
    if (m_program.code.size() == Program::max_instructions)
      fail(fmt::format("more than {} operations", Program::max_instructions), place);
    m_program.code.push_back(instruction);
    return static_cast<std::uint32_t>(m_program.code.size() - 1);
  }

  std::uint32_t expression(const json::Value& value, Scope& scope, const std::string& place, std::size_t depth) {
    if (depth > max_depth) fail(fmt::format("nested deeper than {}", max_depth), place);
    if (const auto* number = value.if_number())
      return emit({.operation = Operation::constant, .value = json::to_double(*number)}, place);
    if (const auto* name = value.if_string()) return named(*name, scope, place, depth);
    const auto* object = value.if_object();
    if (object == nullptr) fail(fmt::format("{} is no expression", value.type_name()), place);
    if (object->find("at") != nullptr) return at(*object, scope, place, depth);
    if (object->size() != 1) fail("an operator is an object with one member", place);
    const auto& [name, operand] = *object->begin();
    const auto inner = json::child(place, name);
    if (name == "record") return record(operand, inner);
    return operation(name, operand, {scope, inner, depth + 1});
  }

  std::uint32_t named(const std::string& name, Scope& scope, const std::string& place, std::size_t depth) {
    const auto& variables = m_claims.variables;
    const auto variable = std::lower_bound(variables.begin(), variables.end(), name,
                                           [](const Variable& v, const std::string& n) { return v.name < n; });
    if (variable != variables.end() && variable->name == name) {
      const auto slot = scope.variables[static_cast<std::size_t>(variable - variables.begin())];
      if (!slot) fail(fmt::format("the variable '{}' is free: bind it with \"at\"", name), place);
      return *slot;
    }
    const auto definition = m_claims.definitions.find(name);
    if (definition == m_claims.definitions.end())
      fail(fmt::format("'{}' is no variable and no definition", printable(name, 64)), place);
    if (const auto done = scope.done.find(name); done != scope.done.end()) return done->second;
    if (std::find(scope.open.begin(), scope.open.end(), name) != scope.open.end())
      fail(fmt::format("the definition '{}' needs itself", name), place);
    scope.open.push_back(definition->first);
    const auto slot = expression(definition->second, scope, json::child("/definitions", name), depth + 1);
    scope.open.pop_back();
    scope.done.emplace(name, slot);
    return slot;
  }

  /// {"at": {variable: expression, …}, "value": expression}: the value with every variable bound.
  std::uint32_t at(const json::Object& object, Scope& outer, const std::string& place, std::size_t depth) {
    const auto* bindings = object.find("at")->if_object();
    const auto* body = object.find("value");
    if (bindings == nullptr || body == nullptr || object.size() != 2)
      fail("\"at\" is an object of bindings, and stands beside \"value\"", place);
    if (m_claim.type != ClaimType::compare) fail("\"at\" has its place in compare claims only", place);
    if (!outer.open.empty()) fail("\"at\" has no place in a definition", place);
    if (m_inside_at) fail("\"at\" inside of \"at\"", place);
    m_inside_at = true;
    Scope inner;
    for (const auto& variable : m_claims.variables) {
      const auto* bound = bindings->find(variable.name);
      if (bound == nullptr) fail(fmt::format("\"at\" does not bind '{}'", variable.name), place);
      inner.variables.emplace_back(expression(*bound, outer, place + "/at/" + variable.name, depth + 1));
    }
    if (bindings->size() != m_claims.variables.size()) fail("\"at\" binds something that is no variable", place);
    const auto slot = expression(*body, inner, place + "/value", depth + 1);
    m_inside_at = false;
    return slot;
  }

  std::uint32_t record(const json::Value& operand, const std::string& place) {
    const auto* pointer = operand.if_string();
    if (pointer == nullptr || (!pointer->empty() && pointer->front() != '/')) fail("not a JSON pointer", place);
    double value = 0;
    if (m_record != nullptr) {
      const auto* found = m_record->at_pointer(*pointer);
      const auto* number = found == nullptr ? nullptr : found->if_number();
      if (number == nullptr) {
        throw Error{ErrorKind::verification_failed,
                    fmt::format("claim '{}': the run record has no number at {}", m_claim.name, printable(*pointer))};
      }
      value = json::to_double(*number);
    }
    return emit({.operation = Operation::constant, .value = value}, place);
  }

  struct Place {
    Scope& scope;
    const std::string& text;
    std::size_t depth;
  };

  std::uint32_t operation(const std::string& name, const json::Value& operand, const Place& place) {
    const auto* form = std::find_if(operator_forms.begin(), operator_forms.end(),
                                    [&](const OperatorForm& candidate) { return candidate.name == name; });
    if (form == operator_forms.end()) fail(fmt::format("unknown operator '{}'", printable(name, 64)), place.text);
    if (form->operands == OperatorForm::Operands::one) {
      const auto a = expression(operand, place.scope, place.text, place.depth);
      return emit({.operation = form->operation, .a = a}, place.text);
    }
    const auto* operands = operand.if_array();
    if (operands == nullptr || operands->empty()) fail("needs an array of operands", place.text);
    if (form->operands != OperatorForm::Operands::many && operands->size() != 2) fail("needs two operands", place.text);
    auto slot = expression(operands->front(), place.scope, json::child(place.text, std::size_t{0}), place.depth);
    if (form->operands == OperatorForm::Operands::one_and_exponent)
      return emit({.operation = form->operation, .a = slot, .exponent = exponent((*operands)[1], place.text)},
                  place.text);
    for (std::size_t i = 1; i < operands->size(); ++i) {
      const auto b = expression((*operands)[i], place.scope, json::child(place.text, i), place.depth);
      slot = emit({.operation = form->operation, .a = slot, .b = b}, place.text);
    }
    return slot;
  }

  [[nodiscard]] int exponent(const json::Value& value, std::string_view place) const {
    const auto* number = value.if_number();
    const auto exponent = number == nullptr ? std::nullopt : std::optional{json::to_int64(*number)};
    if (!exponent || *exponent < -Program::max_exponent || *exponent > Program::max_exponent)
      fail(fmt::format("the exponent must be an integer from -{0} to {0}", Program::max_exponent), place);
    return static_cast<int>(*exponent);
  }

  const Claim& m_claim;
  const Claims& m_claims;
  const json::Value* m_record;
  Program m_program;
  bool m_inside_at = false;
};

}  // namespace

std::string_view name_of(Operation operation) noexcept {
  for (const auto& form : operator_forms) {
    if (form.operation == operation) return form.name;
  }
  return operation == Operation::constant ? "constant" : "variable";
}

std::uint64_t Program::cost() const noexcept {
  std::uint64_t cost = 0;
  for (const auto& instruction : code) {
    switch (instruction.operation) {
      case Operation::exp:
      case Operation::log:
        cost += 10;
        break;
      case Operation::pow:
        cost += static_cast<std::uint64_t>(std::abs(instruction.exponent)) + 1;
        break;
      default:
        cost += 1;
    }
  }
  return cost;
}

Program compile(const Claim& claim, const Claims& claims, const json::Value* record) {
  return Compiler{claim, claims, record}.run();
}

}  // namespace capsule::proof
