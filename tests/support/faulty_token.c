/* A PKCS#11 module in front of another one, with the faults that a real token has rarely. The other module is
   FAULTY_REAL; FAULTY_LOG gets a line for each login and signature, never a PIN; FAULTY_ENVIRONMENT gets
   the environment that the process shows while it signs. FAULTY_FAULT is one of
     removed:N   the token is gone when the Nth signature is made
     locked      each login finds the PIN locked
     other-key   signatures are made with the private key of the label "other" */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static CK_FUNCTION_LIST* real;
static CK_FUNCTION_LIST ours;
static int signatures;

static const char* fault(void) {
  const char* name = getenv("FAULTY_FAULT");
  return name ? name : "";
}

static void note(const char* what, unsigned long number) {
  FILE* log = getenv("FAULTY_LOG") ? fopen(getenv("FAULTY_LOG"), "a") : NULL;
  if (!log) return;
  fprintf(log, "%s %lu\n", what, number);
  fclose(log);
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR* pin, CK_ULONG size) {
  note("login", user);
  if (!strcmp(fault(), "locked")) return CKR_PIN_LOCKED;
  return real->C_Login(session, user, pin, size);
}

static CK_OBJECT_HANDLE other_key(CK_SESSION_HANDLE session) {
  CK_OBJECT_CLASS kind = CKO_PRIVATE_KEY;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &kind, sizeof kind}, {CKA_LABEL, "other", 5}};
  CK_OBJECT_HANDLE found = 0;
  CK_ULONG count = 0;
  real->C_FindObjectsInit(session, wanted, 2);
  real->C_FindObjects(session, &found, 1, &count);
  real->C_FindObjectsFinal(session);
  return found;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_MECHANISM* how, CK_OBJECT_HANDLE key) {
  return real->C_SignInit(session, how, strcmp(fault(), "other-key") ? key : other_key(session));
}

/* What other programs of this user can read of our environment. */
static void note_environment(void) {
  static char text[65536];
  FILE* from = fopen("/proc/self/environ", "r");
  FILE* to = getenv("FAULTY_ENVIRONMENT") ? fopen(getenv("FAULTY_ENVIRONMENT"), "w") : NULL;
  if (from && to) fwrite(text, 1, fread(text, 1, sizeof text, from), to);
  if (from) fclose(from);
  if (to) fclose(to);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_BYTE* data, CK_ULONG size, CK_BYTE* out, CK_ULONG* out_size) {
  struct rlimit core;
  getrlimit(RLIMIT_CORE, &core);
  note("core-limit", core.rlim_cur);
  note_environment();
  note("sign", (unsigned long)++signatures);
  if (!strncmp(fault(), "removed:", 8) && atoi(fault() + 8) == signatures) return CKR_DEVICE_REMOVED;
  return real->C_Sign(session, data, size, out, out_size);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
  void* library = dlopen(getenv("FAULTY_REAL"), RTLD_NOW | RTLD_LOCAL);
  CK_C_GetFunctionList entry = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;
  CK_RV result = entry ? entry(&real) : CKR_GENERAL_ERROR;
  if (result != CKR_OK) return result;
  ours = *real;
  ours.C_Login = login;
  ours.C_SignInit = sign_init;
  ours.C_Sign = sign;
  *list = &ours;
  return CKR_OK;
}
