# A guest that needs every path of shadow paging: a recursive page directory, CR0.WP off and on, device memory, its own page fault.
# Ends with 10h on the debug-exit port if all went as on a bare machine, with 20h otherwise.
.section .mb,"a"
.long 0x1BADB002,0,-0x1BADB002
.text
.globl _start
_start: mov $stack,%esp
 # PD at pd: identity 4 MiB via pt; page 0x300 read-only
 mov $pt,%edi
 mov $0x7,%eax
 mov $1024,%ecx
1: stosl
 add $0x1000,%eax
 loop 1b
 movl $pt+7,pd
 movl $pd+7,pd+4092      # recursive
 andl $~2,pt+0x300*4
 mov $pd,%eax
 mov %eax,%cr3
 mov %cr0,%eax
 or $0x80000000,%eax
 mov %eax,%cr0
 movl $0xabcd1234,0x300010   # WP=0: allowed
 addl $1,0x300010
 lock xaddl %eax,0x300020
 cmpl $0xabcd1235,0x300010
 jne fail
 # VGA memory
 movl $0x07410742,0xb8000
 incw 0xb8002
 mov $msg,%esi
 mov $0xb8010,%edi
 mov $8,%ecx
 rep movsb
 mov 0xb8000,%eax
 cmp $0x07420742,%eax
 jne fail
 mov 0xb8010,%eax
 cmp $0x64636261,%eax
 jne fail
 # through the recursive mapping: map page 0x301 to 0x302, write, see it
 movl $0x302007,0xffc00000+0x301*4
 invlpg 0x301000
 movl $77,0x301008
 cmpl $77,0x302008
 jne fail
 # WP=1: fault expected -> IDT gate 14
 mov $h,%eax
 mov %ax,idt+14*8
 shr $16,%eax
 mov %ax,idt+14*8+6
 mov %cs,%ax
 mov %ax,idt+14*8+2
 movw $0x8e00,idt+14*8+4
 lidt idtr
 mov %cr0,%eax
 or $0x10000,%eax
 mov %eax,%cr0
 movl $5,0x300010
 cmpl $5,0x300010
 jne fail
 mov $0x10,%al
 out %al,$0xf4
fail: mov $0x20,%al
 out %al,$0xf4
 hlt
h: cmpl $3,(%esp)
 jne fail
 mov %cr2,%eax
 cmp $0x300010,%eax
 jne fail
 orl $2,pt+0x300*4
 invlpg 0x300010
 add $4,%esp
 iret
msg: .ascii "abcdefgh"
.balign 8
idtr: .word 255
 .long idt
.bss
.balign 4096
pd: .skip 4096
pt: .skip 4096
idt: .skip 256
 .skip 4096
stack:
.section .note.GNU-stack,"",@progbits
