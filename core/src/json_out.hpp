// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "json_text.hpp"

namespace weighbridge {

class JsonOut;
struct JsonField;

/// A list in which `add_item(list, item)` writes something for each item.
template <class Items, class AddItem>
struct JsonList {
  const Items& items;
  AddItem add_item;
};
template <class Items, class AddItem>
JsonList(const Items&, AddItem) -> JsonList<Items, AddItem>;

/// What is to be written, borrowed until the end of the expression that names it: an answer holds thousands of values, and none is copied before it
/// stands in its place.
class JsonValue {
 public:
  JsonValue() = default;
  /// Of a field that is left out.
  static JsonValue absent() { return JsonValue(Kind::absent); }
  JsonValue(std::nullptr_t) {}
  JsonValue(const char* text) : JsonValue(std::string_view(text)) {}
  JsonValue(const std::string& text) : JsonValue(std::string_view(text)) {}
  /// Invalid UTF-8 becomes U+FFFD.
  JsonValue(std::string_view text);
  JsonValue(double number) : kind_(Kind::number) { number_ = number; }
  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  JsonValue(T number)
      : JsonValue(std::is_same_v<T, bool> ? Kind::flag : (std::is_signed_v<T> ? Kind::integer : Kind::natural), static_cast<std::uint64_t>(number)) {}
  template <class T>
  JsonValue(const std::optional<T>& value) {
    if (value) *this = JsonValue(*value);
  }
  template <class T>
  JsonValue(const std::vector<T>& items);
  template <class Items, class AddItem>
  JsonValue(const JsonList<Items, AddItem>& list);
  /// Invalid UTF-8 becomes U+FFFD. Only of what is a tree: nearly everything could be made one.
  template <class Tree, std::enable_if_t<std::is_same_v<Tree, Json>, int> = 0>
  JsonValue(const Tree& tree) : kind_(Kind::tree) {
    tree_ = &tree;
  }
  JsonValue(const JsonOut& written) : kind_(Kind::written) { written_ = &written; }
  /// An object.
  JsonValue(std::initializer_list<JsonField> fields) : kind_(Kind::fields), size_(fields.size()) { fields_ = fields.begin(); }

 private:
  friend class JsonOut;
  using Write = void (*)(const void* list, JsonOut& out);

  enum class Kind : std::uint8_t { null, absent, flag, integer, natural, number, text, tree, written, fields, list };
  explicit JsonValue(Kind kind) : kind_(kind) {}
  JsonValue(Kind kind, std::uint64_t whole);
  JsonValue(const void* list, Write write) : kind_(Kind::list) {
    list_ = list;
    write_ = write;
  }

  Kind kind_ = Kind::null;
  union {
    std::size_t size_ = 0;  ///< of a text in bytes, or the number of fields
    Write write_;
  };
  union {
    std::uint64_t whole_ = 0;
    double number_;
    const char* text_;
    const Json* tree_;
    const JsonOut* written_;
    const JsonField* fields_;
    const void* list_;
  };
};

/// JSON that is only written, never read again: a value becomes text at once, where a tree of them costs ten times as much. Written as a tree would
/// be: `JsonOut{{"id", id}, {"bytes", 5}}`, `JsonOut::array()`, `push_back()`.
class JsonOut {
 public:
  JsonOut() : JsonOut(JsonValue()) {}
  explicit JsonOut(const JsonValue& value) { append(value); }
  /// An object.
  JsonOut(std::initializer_list<JsonField> fields) : JsonOut(JsonValue(fields)) {}

  [[nodiscard]] static JsonOut array();
  [[nodiscard]] static JsonOut object() { return JsonOut(std::initializer_list<JsonField>()); }
  /// Adds an item to an array.
  void push_back(const JsonValue& item);
  /// Adds an object to an array: the fields of `object`, which must have some, behind `first`.
  void push_back(const JsonField& first, const JsonOut& object);
  /// Adds a key to an object; the key must be new.
  void add(const char* key, const JsonValue& value);

  [[nodiscard]] std::string_view text() const { return {buffer_.get(), size_}; }

 private:
  void add(const JsonField& field);
  /// Room for so many more bytes.
  char* room_for(std::size_t size);
  void put(char c);
  void put(std::string_view json);
  void put_quoted(std::string_view text);
  void append(const JsonValue& value);
  void append(const JsonField& field);
  /// Takes the bracket or brace at the end away, and adds the comma that what follows needs.
  void reopen();

  std::unique_ptr<char[]> buffer_;  ///< the text and room behind it, which a string would fill with zeros first
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

struct JsonField {
  const char* key;  ///< plain ASCII without quotes
  JsonValue value;
};

inline void JsonOut::add(const char* key, const JsonValue& value) { add(JsonField{key, value}); }

template <class T>
JsonValue::JsonValue(const std::vector<T>& items)
    : JsonValue(&items, [](const void* list, JsonOut& out) {
        for (const T& item : *static_cast<const std::vector<T>*>(list)) out.push_back(item);
      }) {}

template <class Items, class AddItem>
JsonValue::JsonValue(const JsonList<Items, AddItem>& items)
    : JsonValue(&items, [](const void* list, JsonOut& out) {
        const auto& described = *static_cast<const JsonList<Items, AddItem>*>(list);
        for (const auto& item : described.items) described.add_item(out, item);
      }) {}

}  // namespace weighbridge
