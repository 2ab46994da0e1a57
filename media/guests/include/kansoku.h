/* kansoku.h: the observe_op hypercall as a guest sees it: numbers, structures, errors, and how to call it.
 * Not the implementation (src/monitor/observe-op.ts), nor the meaning of the event kinds (src/monitor/events.ts).
 *
 * Call: VMCALL at CPL 0 of domain 0 with EAX = 48 (__HYPERVISOR_arch_0 of Xen's public/xen.h), EBX = sub-operation,
 * ECX = linear address of the sub-operation's structure. Returns EAX = 0, or a negative error number; every other
 * register is unchanged. The structure is read and written through the caller's page tables, with the rights of a
 * supervisor; it may cross pages.
 *
 * Every structure begins with its version (1) and its size in bytes as the caller compiled it. A version other than 1,
 * or a size smaller than the structure of that version, gives -EINVAL; a larger size is accepted, and what lies behind
 * the structure stays untouched. Fields marked "out" are written only if the result is 0. Reserved fields are 0.
 *
 * Checks come in this order: CPL and domain (-EPERM), sub-operation (-ENOSYS), structure readable (-EFAULT), version
 * and size (-EINVAL), the fields (-EINVAL), buffer and structure writable (-EFAULT).
 */
#ifndef KANSOKU_H
#define KANSOKU_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* Hypercall number. */
#define KANSOKU_HYPERCALL 48

/* Sub-operations (EBX), each with its structure (ECX). */
#define KANSOKU_INFO 0            /* struct kansoku_info */
#define KANSOKU_SET_MASK 1        /* struct kansoku_mask */
#define KANSOKU_GET_MASK 2        /* struct kansoku_mask */
#define KANSOKU_ENABLE 3          /* struct kansoku_header: recording on */
#define KANSOKU_DISABLE 4         /* struct kansoku_header: recording off; mask, ring and watches stay */
#define KANSOKU_READ_RECORDS 5    /* struct kansoku_read */
#define KANSOKU_DOMAIN_COUNTERS 6 /* struct kansoku_counters */
#define KANSOKU_WATCH_MEMORY 7    /* struct kansoku_watch */
#define KANSOKU_UNWATCH_MEMORY 8  /* struct kansoku_unwatch */
#define KANSOKU_MARKER 9          /* struct kansoku_marker */
#define KANSOKU_SET_WEIGHT 10     /* struct kansoku_weight */
#define KANSOKU_SET_POLICY 11     /* struct kansoku_policy */

/* Errors, as -NUMBER in EAX; Xen's and Linux's numbers. */
#define KANSOKU_EPERM 1   /* not domain 0, or CPL is not 0 */
#define KANSOKU_EFAULT 14 /* structure or buffer not mapped, or not writable */
#define KANSOKU_EINVAL 22 /* version, size, or a field out of its range; no such domain; no such watch */
#define KANSOKU_ENOSPC 28 /* watch_memory: every watch is in use */
#define KANSOKU_ENOSYS 38 /* no such sub-operation, or one that this hypervisor does not offer; no such hypercall */

#define KANSOKU_VERSION 1

/* Highest number of watches at a time. */
#define KANSOKU_WATCHES 16

/* Accesses that a watch reports. */
#define KANSOKU_ACCESS_READ 1u
#define KANSOKU_ACCESS_WRITE 2u
#define KANSOKU_ACCESS_EXECUTE 4u

/* Scheduling policies of set_policy. */
#define KANSOKU_POLICY_FIXED 0    /* weights stay as set_weight left them */
#define KANSOKU_POLICY_ADAPTIVE 1 /* weights follow each domain's rate of hardware accesses */

#ifndef __ASSEMBLER__

/* A 64-bit value in two words: the same layout in every ABI. */
struct kansoku_u64 {
  uint32_t low;
  uint32_t high;
};

struct kansoku_header {
  uint32_t version; /* in: KANSOKU_VERSION */
  uint32_t size;    /* in: sizeof the structure that this header opens */
};

struct kansoku_info {
  struct kansoku_header header;
  uint32_t interface_version; /* out: highest version that the hypervisor understands */
  uint32_t kinds;             /* out: number of event kinds; kinds are 0 .. kinds - 1 and at most 64 */
  uint32_t ring_bytes;        /* out: size of the ring; a multiple of record_bytes */
  uint32_t record_bytes;      /* out: sizeof(struct kansoku_record) = 48 */
};

/* Bit k of the mask (bit k of low for k < 32, else bit k - 32 of high) switches event kind k.
 * set_mask: in; bits at or above `kinds` give -EINVAL. get_mask: out. */
struct kansoku_mask {
  struct kansoku_header header;
  struct kansoku_u64 mask;
};

/* One event, 12 words. */
struct kansoku_record {
  uint32_t kind;              /* 15:0 event kind, 23:16 domain, 31:24 vCPU */
  uint32_t sequence;          /* low 32 bits of the event's number; numbers have no gaps */
  struct kansoku_u64 icount;  /* retired guest instructions of the machine when it happened */
  uint32_t eip;               /* the domain's EIP at the event (offset in CS) */
  uint32_t cr3;               /* the domain's CR3 */
  uint32_t flags;             /* 1:0 CPL; the others have their meaning from the kind */
  uint32_t operand[5];        /* meaning by kind */
};

#define KANSOKU_RECORD_KIND(record) ((record)->kind & 0xffffu)
#define KANSOKU_RECORD_DOMAIN(record) (((record)->kind >> 16) & 0xffu)
#define KANSOKU_RECORD_VCPU(record) ((record)->kind >> 24)
#define KANSOKU_RECORD_CPL(record) ((record)->flags & 3u)

/* Copies records from number `next` on, oldest first. Reading takes nothing away: readers do not disturb each other.
 * A reader starts with next = 0 and passes the structure back as it got it. */
struct kansoku_read {
  struct kansoku_header header;
  uint32_t buffer;         /* in: linear address of an array of struct kansoku_record */
  uint32_t capacity;       /* in: its length in records, 1 .. 65536 */
  uint32_t copied;         /* out: records written, 0 if nothing is new */
  uint32_t reserved;       /* 0 */
  struct kansoku_u64 lost; /* out: records from `next` on that the ring had already overwritten */
  struct kansoku_u64 next; /* in: number of the first record wanted; out: number to ask for next */
};

/* What a domain did since its creation; counted whether or not recording is on. 32-bit counters wrap. */
struct kansoku_counters {
  struct kansoku_header header;
  uint32_t domain;                 /* in: domain number */
  uint32_t reserved;               /* 0 */
  struct kansoku_u64 instructions; /* out: retired guest instructions */
  struct kansoku_u64 guest_cycles; /* out: modelled cycles in VMX non-root operation */
  struct kansoku_u64 vmm_cycles;   /* out: modelled cycles that the hypervisor spent for this domain */
  struct kansoku_u64 exits;        /* out: VM exits */
  struct kansoku_u64 recorded;     /* out: records written for this domain */
  uint32_t weight;                 /* out: scheduling weight in force */
  uint32_t guest_page_faults;      /* out: page faults delivered to the guest */
  uint32_t shadow_faults;          /* out: page faults that the shadow tables caused and the hypervisor resolved */
  uint32_t page_table_writes;      /* out: guest page-table writes seen */
  uint32_t interrupts;             /* out: external interrupts injected */
  uint32_t io_accesses;            /* out: port and MMIO accesses to virtual devices */
  uint32_t halts;                  /* out: HLT exits */
  uint32_t hypercalls;             /* out: VMCALLs */
  uint32_t exits_by_reason[64];    /* out: VM exits by basic exit reason (SDM vol. 3D appendix C); 63: all above 62 */
};

/* Reports accesses to guest-physical memory of a domain as events. */
struct kansoku_watch {
  struct kansoku_header header;
  uint32_t domain;  /* in */
  uint32_t address; /* in: first guest-physical address */
  uint32_t length;  /* in: bytes, 1 .. 2^32 - address */
  uint32_t access;  /* in: one or more of KANSOKU_ACCESS_* */
  uint32_t id;      /* out: 0 .. KANSOKU_WATCHES - 1 */
};

struct kansoku_unwatch {
  struct kansoku_header header;
  uint32_t id; /* in: from watch_memory */
};

/* Records an event of kind "marker" with these operands, if that kind is on. */
struct kansoku_marker {
  struct kansoku_header header;
  uint32_t operand[5]; /* in */
};

/* Weight and cap of Xen's credit scheduler. */
struct kansoku_weight {
  struct kansoku_header header;
  uint32_t domain; /* in */
  uint32_t weight; /* in: 1 .. 65535; 256 is the default */
  uint32_t cap;    /* in: percent of one processor, 0: none */
};

struct kansoku_policy {
  struct kansoku_header header;
  uint32_t policy;     /* in: KANSOKU_POLICY_* */
  uint32_t period_ms;  /* in: virtual milliseconds between two decisions, 1 .. 10000; 0: the default, 100 */
  uint32_t min_weight; /* in: lowest weight the policy may give, 1 .. 65535; 0: the default, 64 */
  uint32_t max_weight; /* in: highest, min_weight .. 65535; 0: the default, 1024 */
};

/* The call itself. VMCALL raises #UD where no hypervisor runs. */
static inline int32_t kansoku_observe_op(uint32_t operation, void *structure) {
  int32_t result;
  __asm__ volatile("vmcall" : "=a"(result) : "a"(KANSOKU_HYPERCALL), "b"(operation), "c"(structure) : "memory");
  return result;
}

#endif /* !__ASSEMBLER__ */
#endif
