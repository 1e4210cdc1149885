#include "http/status.hpp"

namespace capsule::http {

ErrorKind kind_of_status(int status) noexcept {
  switch (status) {
    case 404:
    case 410:
      return ErrorKind::not_found;
    case 401:
    case 403:
    case 407:
      return ErrorKind::denied;
    case 409:
    case 412:
      return ErrorKind::conflict;
    case 408:
    case 425:
    case 429:
      return ErrorKind::unavailable;
    case 501:
    case 505:
      return ErrorKind::invalid_input;
    default:
      return status >= 500 ? ErrorKind::unavailable : ErrorKind::invalid_input;
  }
}

}  // namespace capsule::http
