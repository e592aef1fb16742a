// SHA-256 from OpenSSL's libcrypto (uses the CPU's SHA instructions).
#pragma once
#include <openssl/evp.h>
