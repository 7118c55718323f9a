// Asio is compiled here, once (ASIO_SEPARATE_COMPILATION); everybody else includes declarations only.
#include <asio/impl/src.hpp>
